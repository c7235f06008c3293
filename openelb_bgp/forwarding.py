"""Forwarding first: which health checks a node is asked for, and what its answers allow to announce.

Pure. A node that has just booted is reachable before kube-proxy has programmed it, and announced then it
would swallow what it attracts. So it announces once kube-proxy has answered 200, as load balancers of clouds
check it, and a Service of the policy Local once its healthCheckNodePort has. What cannot be proven within a
limit is announced all the same, and told. Asking is `host`'s matter; so is remembering what was proven.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from .lib.identity import changed_keys
from .lib.instants import soonest
from .model.allocated import may_be_ours
from .model.cluster import Node
from .model.forwarding import CheckFact, Forwarding, HealthFact
from .model.meta import EMPTY, Key, Kind, ObjectRef, ref
from .model.reasons import Reason, Refused
from .model.services import EndpointSlice, Service
from .model.snapshot import Snapshot
from .model.statuses import MAX_PROBLEMS

KUBE_PROXY_PORT = 10256
NODE_LIMIT, SERVICE_LIMIT = 120.0, 60.0
"""Seconds for an answer of 200, counted from the first question on this boot."""
NOBODY_LIMIT = 2.0
"""Seconds for somebody to listen on a healthCheckNodePort where kube-proxy's own port has no listener."""
BOOT_PATIENCE = 120.0
"""Seconds since the boot in which kube-proxy may still come up; nobody listens afterwards: there is none."""
FIRST_ANSWERS = 3.0
"""Seconds for the first answers; nothing that runs is changed until then."""

_Value = TypeVar("_Value")


class Concluded(NamedTuple):
    """Of the checks of a HealthFact, those that count as passed without an answer."""

    node: bool = False
    services: tuple[Key, ...] = ()


class Vouched(NamedTuple):
    """What the process before this one announced on this boot, by its report; `but` are objects as texts.

    `unproven` is what it announced although nothing proved it: that goes on, and is asked and told on.
    """

    node: bool = False
    but: frozenset[str] = frozenset()
    unproven: Mapping[ObjectRef, Refused] = EMPTY

    @property
    def proven(self) -> bool:
        """Whether the node itself had been seen forwarding."""
        return self.node and not any(one.kind is Kind.NODE for one in self.unproven)

    def services(self, health: HealthFact) -> tuple[Key, ...]:
        """Those of the Services that are to be asked at the start which it announced."""
        if not self.node:
            return ()
        return tuple(
            key
            for key in health.services
            if f"{Kind.SERVICE} {key}" not in self.but and ObjectRef(Kind.SERVICE, key) not in self.unproven
        )


class ServiceChecks(NamedTuple):
    """The healthCheckNodePort of each Service to be asked here, and the objects that this was made from."""

    services: Mapping[Key, Service] = EMPTY
    slices: Mapping[Key, tuple[EndpointSlice, ...]] = EMPTY
    ports: Mapping[Key, int] = EMPTY


def service_checks(snapshot: Snapshot, *, node: str, before: ServiceChecks) -> ServiceChecks:
    """Local Services of ours with endpoints on the node; `ports` is the same object if it says the same."""
    changed = dict.fromkeys(changed_keys(old=before.services, new=snapshot.services))
    changed.update(dict.fromkeys(changed_keys(old=before.slices, new=snapshot.slices)))
    if not changed:
        return before
    ports = dict(before.ports)
    for key in changed:
        port = _port_to_ask(snapshot.services.get(key), snapshot.slices.get(key, ()), node)
        if port:
            ports[key] = port
        else:
            ports.pop(key, None)
    same = ports == before.ports
    return ServiceChecks(snapshot.services, snapshot.slices, before.ports if same else ports)


def _port_to_ask(service: Service | None, slices: tuple[EndpointSlice, ...], node: str) -> int:
    if service is None or not service.local or not may_be_ours(service):
        return 0
    here = any(one.node == node and (one.ready or one.serving) for each in slices for one in each.endpoints)
    return service.health_check_node_port if here else 0


def vouched(snapshot: Snapshot, *, node: str, boot_id: str) -> Vouched:
    """What this node announced before this process started, perhaps in another pod with another folder.

    Its neighbours keep those routes for a while, and would lose them if everything were asked anew first.
    """
    speaker = snapshot.speakers.get(node)
    if speaker is None or not boot_id or speaker.status.boot_id != boot_id:
        return Vouched()
    problems = speaker.status.problems
    if not speaker.status.routes.announced or len(problems) >= MAX_PROBLEMS:
        return Vouched()
    return Vouched(
        node=True,
        but=frozenset(one.object for one in problems if one.reason == Reason.NOT_PROVEN),
        unproven={
            _named(one.object): Refused(Reason.ANNOUNCED_UNPROVEN, one.message)
            for one in problems
            if one.reason == Reason.ANNOUNCED_UNPROVEN
        },
    )


def _named(text: str) -> ObjectRef:
    """The object that a Problem is about."""
    kind, _, name = text.partition(" ")
    namespace, _, name = name.rpartition("/")
    return ref(Kind(kind), name, namespace=namespace)


def concluded(
    health: HealthFact, node: Node | None, *, boot_id: str, now: float, vouched: bool = False
) -> Concluded:
    """What counts as proven although no health check says so; `vouched` is of the node.

    A node that was vouched for is asked once all the same: whether it has a kube-proxy matters to Services.
    """
    check = health.node
    asked = check.passed is None and bool(check.answer or now >= health.began + FIRST_ANSWERS)
    return Concluded(
        node=(vouched and asked) or _is_without_kube_proxy(health, node, boot_id=boot_id, now=now),
        services=tuple(
            key
            for key, one in health.services.items()
            if _is_unheard(health, one) and now >= _end(health, one)
        ),
    )


def _is_without_kube_proxy(health: HealthFact, node: Node | None, *, boot_id: str, now: float) -> bool:
    """Nobody listens there, and kubelet calls the node Ready since this boot: something else forwards.

    A kube-proxy that comes up late after a boot must not pass for one that does not exist.
    """
    check = health.node
    return (
        check.passed is None
        and check.nobody
        and node is not None
        and node.ready is True
        and bool(boot_id)
        and node.boot_id == boot_id
        and now >= health.booted + BOOT_PATIENCE
    )


def judge(health: HealthFact, *, node: str, now: float, before: Forwarding) -> Forwarding:
    """What the answers so far allow. What says the same as `before` is the same object.

    What was announced unproven before is so until it is proven: nothing that runs is taken back for a limit
    that begins anew.
    """
    check, first_end = health.node, health.began + FIRST_ANSWERS
    deadlines = [] if health.heard else [first_end]
    refused: Refused | None = None
    unproven: dict[ObjectRef, Refused] = {}
    services: dict[Key, Refused] = {}
    if check.passed is None:
        deadlines += [check.since + NODE_LIMIT, health.booted + BOOT_PATIENCE]
        here = ref(Kind.NODE, node)
        if now < check.since + NODE_LIMIT and here not in before.unproven:
            refused = _not_proven(node, check)
        else:
            unproven[here] = _node_unproven(node, check)
    for key, one in health.services.items():
        deadlines.append(_end(health, one))
        about = ObjectRef(Kind.SERVICE, key)
        if now < _end(health, one) and about not in before.unproven:
            services[key] = _service_not_proven(node, one)
        elif not _is_unheard(health, one):
            unproven[about] = _service_unproven(node, one)
    return Forwarding(
        known=health.heard or now >= first_end,
        refused=_same(before.refused, refused),
        services=_same_values(before.services, services),
        unproven=_same_values(before.unproven, unproven),
        deadline=soonest(*(at for at in deadlines if at > now)),
    )


def _end(health: HealthFact, one: CheckFact) -> float:
    """When a Service's limit is over; it does not begin before kube-proxy can have programmed anything."""
    check = health.node
    ready = check.since + NODE_LIMIT if check.passed is None else check.passed
    return max(one.since, ready) + (NOBODY_LIMIT if _is_unheard(health, one) else SERVICE_LIMIT)


def _is_unheard(health: HealthFact, one: CheckFact) -> bool:
    """Whether there is nobody who could ever answer: no kube-proxy, and nobody who listens in its place."""
    return one.nobody and health.node.nobody and health.node.passed is not None


def _not_proven(node: str, check: CheckFact) -> Refused:
    return Refused(
        Reason.NOT_PROVEN,
        f"node {node} has not been seen forwarding since it booted: kube-proxy's /healthz on port "
        f"{check.port} {check.answer or 'has not answered'}; look at kube-proxy there",
    )


def _service_not_proven(node: str, check: CheckFact) -> Refused:
    return Refused(
        Reason.NOT_PROVEN,
        f"node {node} has not been seen forwarding to it: its healthCheckNodePort {check.port} there "
        f"{check.answer or 'has not answered'}; if that lasts, look at kube-proxy there",
    )


def _node_unproven(node: str, check: CheckFact) -> Refused:
    return Refused(
        Reason.ANNOUNCED_UNPROVEN,
        f"node {node} announces although kube-proxy's /healthz on port {check.port} has not answered 200 in "
        f"{NODE_LIMIT:.0f} s (it {check.answer or 'has not answered'}); look at kube-proxy there",
    )


def _service_unproven(node: str, check: CheckFact) -> Refused:
    return Refused(
        Reason.ANNOUNCED_UNPROVEN,
        f"node {node} announces it although its healthCheckNodePort {check.port} there has not answered 200 "
        f"in {SERVICE_LIMIT:.0f} s (it {check.answer or 'has not answered'}); look at kube-proxy there",
    )


def _same(before: _Value, now: _Value) -> _Value:
    return before if before == now else now


def _same_values(before: Mapping[_Value, Refused], now: dict[_Value, Refused]) -> Mapping[_Value, Refused]:
    if before == now:
        return before
    return {key: before[key] if before.get(key) == refused else refused for key, refused in now.items()}
