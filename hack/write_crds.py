"""Writes the CustomResourceDefinitions of the model to manifests/crds; `make crds` calls it."""

from pathlib import Path

from openelb_bgp.kube.crds import as_yaml, definitions

FOLDER = Path(__file__).resolve().parent.parent / "manifests" / "crds"


def main() -> None:
    """Write every definition to its file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, document in definitions().items():
        (FOLDER / name).write_text(as_yaml(document))


if __name__ == "__main__":
    main()
