"""The desk of a lab in cluster mode: objects are edited through the API server, pods are Pods."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from lab.cluster.api import Api, ApiError, Object
from lab.cluster.kubelet import make_pod, remove_pod, set_pod_ready, stop_pod
from lab.desk import Pod, pod_addresses
from lab.errors import LabError
from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind

_NAMESPACE = "default"
_RETRY = 0.2


class ClusterDesk:
    """See `lab.desk.Desk`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def objects(self, kind: Kind) -> list[Object]:
        """All objects of a kind, as the API server has them."""
        return [_of(kind, item) for item in self._api.items(kind.value)]

    def edit(self, kind: Kind, name: str, change: Callable[[Object], None]) -> None:
        """Apply `change` to one object; again if somebody else was quicker."""
        namespace = _NAMESPACE if kind.namespaced else ""
        while True:
            found = self._api.get(kind.value, name, namespace=namespace)
            change(found)
            try:
                self._api.replace(found)
            except ApiError as exc:
                if exc.reason != "Conflict":
                    raise
            else:
                return

    def place_pods(self, service: str, pods: Mapping[str, Pod]) -> None:
        """Make, change and remove Pods; the controller-manager writes the EndpointSlices."""
        there = {item["spec"]["nodeName"] for item in self._pods(service)}
        for node in sorted(there - set(pods)):
            remove_pod(self._api, _name(service, node), namespace=_NAMESPACE)
        for node, pod in sorted(pods.items()):
            name, ready = _name(service, node), pod is not Pod.STARTING
            if node in there:
                set_pod_ready(self._api, name, namespace=_NAMESPACE, ready=ready)
            else:
                make_pod(
                    *(self._api, name),
                    namespace=_NAMESPACE,
                    node=node,
                    addresses=tuple(pod_addresses(node).values()),
                    labels={"app": service},
                    ready=ready,
                )
            if pod is Pod.LEAVING:
                stop_pod(self._api, name, namespace=_NAMESPACE)

    def add_services(self, names: Sequence[str], *, like: str) -> None:
        """Make Services; the controller-manager writes their EndpointSlices, as they select the same Pods."""
        original = self._api.get("Service", like, namespace=_NAMESPACE)
        for name in names:
            self._api.create(_copy(original, name))

    def remove_services(self, names: Sequence[str]) -> None:
        """Delete Services; those that are not there are left out."""
        for name in names:
            if self._api.find("Service", name, namespace=_NAMESPACE):
                self._api.delete("Service", name, namespace=_NAMESPACE)

    async def changes(self, kind: Kind) -> AsyncIterator[list[Object]]:
        """All objects of a kind, now and whenever one changed; from the start when the watch is lost."""
        while True:
            states = self._states(kind)
            with suppress(LabError):
                while (state := await asyncio.to_thread(next, states, None)) is not None:
                    yield state
            await asyncio.sleep(_RETRY)

    def _states(self, kind: Kind) -> Iterator[list[Object]]:
        listed = self._api.request("GET", self._api.path(kind.value))
        known = {item["metadata"]["uid"]: _of(kind, item) for item in listed["items"]}
        yield list(known.values())
        version = listed["metadata"]["resourceVersion"]
        for event, item in self._api.watch(kind.value, resourceVersion=version):
            if event == "ERROR":
                return
            if event == "DELETED":
                known.pop(item["metadata"]["uid"], None)
            else:
                known[item["metadata"]["uid"]] = _of(kind, item)
            yield list(known.values())

    def _pods(self, service: str) -> list[Object]:
        return self._api.items("Pod", namespace=_NAMESPACE, labelSelector=f"app={service}")


def _copy(service: Object, name: str) -> Object:
    """A Service's manifest under another name, without what the cluster and we put into it."""
    given = ("clusterIP", "clusterIPs", "healthCheckNodePort")
    spec = {key: value for key, value in service["spec"].items() if key not in given}
    spec["ports"] = [{k: v for k, v in port.items() if k != "nodePort"} for port in spec["ports"]]
    annotations = {
        key: value
        for key, value in service["metadata"].get("annotations", {}).items()
        if key != keys.ALLOCATED_ANNOTATION
    }
    metadata = {"name": name, "namespace": _NAMESPACE, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _of(kind: Kind, item: Object) -> Object:
    # In a list of a built-in kind no item says what it is.
    return {"kind": kind.value} | item


def _name(service: str, node: str) -> str:
    return f"{service}-{node}"
