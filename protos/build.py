"""Generates the protobuf messages of `openelb_bgp/bgp/gobgp/_pb/` from the .proto files beside this file.

Three callers: hatchling when it builds a wheel or an editable install (`BuildHook`, which also writes down
the version), `make stubs`, and anybody by hand with `python protos/build.py`. Only messages are generated:
the client finds its methods in the descriptors. Nothing generated is committed.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("openelb_bgp/bgp/gobgp/_pb")
VERSION = Path("openelb_bgp/_version.py")
PROTOS = ("gobgp3.proto", "gobgp4.proto")


def generate(root: Path) -> list[Path]:
    """Writes the messages, and their types as .pyi, below `root`; returns the files.

    The .proto files are mapped to the package's own path, so that the modules import each other, and are
    registered, under their real name. Raises RuntimeError with the file's name where protoc refuses one.
    """
    from grpc_tools import protoc

    out = root / PACKAGE
    out.mkdir(parents=True, exist_ok=True)
    init = out / "__init__.py"
    init.write_text('"""Generated from protos/ by protos/build.py; not in version control."""\n')
    written = [init]
    for name in PROTOS:
        code = protoc.main(
            [
                "protoc",
                f"-I{PACKAGE}={root / 'protos'}",
                f"-I{files('grpc_tools') / '_proto'}",
                f"--python_out={root}",
                f"--pyi_out={root}",
                str(PACKAGE / name),
            ]
        )
        if code != 0:
            raise RuntimeError(f"protoc refused protos/{name}")
        stem = Path(name).stem
        written += [out / f"{stem}_pb2.py", out / f"{stem}_pb2.pyi"]
    return written


def write_version(root: Path, version: str) -> None:
    """Writes the module that knows the version, so that nobody has to look for it at run time."""
    text = f'"""Written by protos/build.py; not in version control."""\n\n__version__ = "{version}"\n'
    (root / VERSION).write_text(text)


if TYPE_CHECKING:

    class Metadata:
        """Of hatchling's, what is used here."""

        version: str

    class BuildHookInterface:
        """What hatchling gives a hook, as far as it is used here; mypy runs without the build backend."""

        root: str
        target_name: str
        metadata: Metadata

else:
    try:
        from hatchling.builders.hooks.plugin.interface import BuildHookInterface
    except ImportError:  # run by hand, where the build backend is not installed
        BuildHookInterface = object


class BuildHook(BuildHookInterface):
    """Generates the messages and the version before hatchling collects the files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling for each target; a source distribution carries the .proto files instead."""
        if self.target_name != "sdist":
            generate(Path(self.root))
            write_version(Path(self.root), self.metadata.version)


if __name__ == "__main__":
    for path in generate(ROOT):
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
