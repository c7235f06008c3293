"""Scheduler and kubelets for a control plane that has neither: pods of DaemonSets and Deployments run.

A pod is put on the node that its affinity names, or on any, reported as running and Ready, and taken away
when it is told to end. A thread does that until it is stopped, by the admin's client.
"""

import contextlib
import threading
from types import TracebackType
from typing import Self

from lab.cluster.api import Api, ApiError, Object
from lab.cluster.kubelet import remove_pod, set_pod_ready

_PAUSE = 0.1


class Kubelets:
    """Runs the pods of a namespace while it is entered."""

    def __init__(self, api: Api, namespace: str, *, watched: str = "") -> None:
        """`watched` is a label selector: `least` is how few of those pods were Ready at any look."""
        self._api, self._namespace, self._watched = api, namespace, watched
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error: BaseException | None = None
        self.least = 1_000_000

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def count(self) -> None:
        """Begin to count anew how few of the watched pods are Ready."""
        self.least = 1_000_000

    def _run(self) -> None:
        try:
            while not self._stop.wait(_PAUSE):
                self._look()
        except BaseException as error:
            self._error = error

    def _look(self) -> None:
        nodes = [one["metadata"]["name"] for one in self._api.items("Node")]
        pods = self._api.items("Pod", namespace=self._namespace)
        if self._watched:
            chosen = self._api.items("Pod", namespace=self._namespace, labelSelector=self._watched)
            self.least = min(self.least, sum(_is_ready(one) for one in chosen))
        for pod in pods:
            # It may be deleted meanwhile.
            with contextlib.suppress(ApiError):
                self._care_for(pod, nodes)

    def _care_for(self, pod: Object, nodes: list[str]) -> None:
        name = pod["metadata"]["name"]
        if pod["metadata"].get("deletionTimestamp"):
            remove_pod(self._api, name, namespace=self._namespace)
        elif not pod["spec"].get("nodeName"):
            self._bind(name, _wanted_node(pod) or nodes[0])
        elif not _is_ready(pod):
            status = {"status": {"phase": "Running", "podIP": "192.0.2.11", "podIPs": [{"ip": "192.0.2.11"}]}}
            self._api.patch("Pod", name, status, namespace=self._namespace, subresource="status")
            set_pod_ready(self._api, name, namespace=self._namespace)

    def _bind(self, name: str, node: str) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        path = self._api.path("Pod", name, namespace=self._namespace, subresource="binding")
        self._api.request("POST", path, binding)


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _wanted_node(pod: Object) -> str:
    """The node that a DaemonSet's controller made it for."""
    affinity = pod["spec"].get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    for term in required.get("nodeSelectorTerms", ()):
        for field in term.get("matchFields", ()):
            if field["key"] == "metadata.name":
                return str(field["values"][0])
    return ""
