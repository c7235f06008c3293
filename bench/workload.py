"""Services by the number, as manifests: text of YAML, or a JSON `List` as `kubectl get -o json` writes it.

A Service here is an ordinary one: one port, policy Cluster, EndpointSlices with two ready endpoints each.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: shop
  labels:
    app: {name}
  annotations:
    lb.kubesphere.io/v1alpha1: openelb
spec:
  type: LoadBalancer
  externalTrafficPolicy: Cluster
  selector:
    app: {name}
  ports:
    - name: http
      protocol: TCP
      port: 80
      targetPort: 8080
"""
_SLICE = """\
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-{index}
  namespace: shop
  labels:
    kubernetes.io/service-name: {name}
addressType: IPv4
ports:
  - name: http
    protocol: TCP
    port: 8080
endpoints:
  - addresses: [10.244.{index}.10]
    nodeName: ours
    conditions:
      ready: true
  - addresses: [10.244.{index}.11]
    nodeName: ours
    conditions:
      ready: true
"""


def name_of(number: int) -> str:
    """The name of the `number`-th Service."""
    return f"shop-{number:05}"


def as_yaml(number: int, *, slices: int = 1) -> str:
    """One Service with its EndpointSlices."""
    name = name_of(number)
    return _SERVICE.format(name=name) + "".join(
        _SLICE.format(name=name, index=index) for index in range(slices)
    )


def as_json(numbers: range, *, slices: int = 1) -> str:
    """Many Services with their EndpointSlices, in one List."""
    items = [item for number in numbers for item in _objects(name_of(number), slices=slices)]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def write_yaml(folder: Path, numbers: range, *, slices: int = 1, in_a_file: int = 100) -> None:
    """Write them into `folder`, a hundred to a file."""
    for start in range(numbers.start, numbers.stop, in_a_file):
        part = range(start, min(start + in_a_file, numbers.stop))
        text = "---\n".join(as_yaml(number, slices=slices) for number in part)
        (folder / f"services-{start:05}.yaml").write_text(text)


def put(folder: Path, name: str, text: str) -> None:
    """Let a file appear at once and whole."""
    unfinished = folder / f".{name}.tmp"
    unfinished.write_text(text)
    unfinished.rename(folder / name)


def _objects(name: str, *, slices: int) -> Iterator[dict[str, Any]]:
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "labels": {"app": name},
            "annotations": {"lb.kubesphere.io/v1alpha1": "openelb"},
        },
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Cluster",
            "selector": {"app": name},
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}],
        },
    }
    for index in range(slices):
        yield {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-{index}",
                "namespace": "shop",
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv4",
            "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
            "endpoints": [
                {"addresses": [f"10.244.{index}.{last}"], "nodeName": "ours", "conditions": {"ready": True}}
                for last in (10, 11)
            ],
        }
