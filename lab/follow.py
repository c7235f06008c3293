"""The nodes' kube-proxies as one process: follows the manifests and the allocations, and programs every node.

Run as `python -m lab.follow FOLDER-OF-THE-LAB`; it ends with the lab. Changes are noticed by the files'
times, which costs next to nothing while nothing happens.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from lab import kubeproxy
from lab.errors import LabError
from lab.lab import Lab, open_lab
from lab.state import LabFolder

_INTERVAL = 0.1
_RETRY = 1.0


def follow(lab: Lab) -> None:
    """Program all nodes whenever something changed, for ever."""
    seen: tuple[tuple[str, int], ...] = ()
    programmed: Mapping[str, str] = {}
    while True:
        now = tuple(_times(lab))
        if now == seen:
            time.sleep(_INTERVAL)
            continue
        try:
            programmed = _program(lab, programmed)
            seen = now
        except (LabError, OSError, yaml.YAMLError, KeyError, TypeError) as exc:
            # A manifest in the middle of an edit, or a controller that is only starting: what is in force
            # stays.
            print(f"kube-proxy: {exc!r}", flush=True)
            time.sleep(_RETRY)


def _program(lab: Lab, programmed: Mapping[str, str]) -> Mapping[str, str]:
    exposed = kubeproxy.services(kubeproxy.read(lab.paths.manifests), lab.addresses())
    wanted = {node: kubeproxy.render(exposed, node=node) for node in lab.nodes}
    for node, rules in wanted.items():
        if programmed.get(node) != rules:
            kubeproxy.program(lab.space(node), rules)
            print(f"kube-proxy: {node} programmed", flush=True)
    return wanted


def _times(lab: Lab) -> Iterator[tuple[str, int]]:
    for folder in (lab.paths.manifests, lab.paths.state):
        for file in sorted(folder.rglob("*")):
            try:
                if file.is_file():
                    yield (str(file), file.stat().st_mtime_ns)
            except FileNotFoundError:
                continue


if __name__ == "__main__":
    follow(open_lab(LabFolder(Path(sys.argv[1]))))
