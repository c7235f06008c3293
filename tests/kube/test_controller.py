"""A controller in a cluster: what becomes of Services and Eips, as operators see it with kubectl."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.api import Api, Object
from lab.cluster.kubelet import service
from openelb_bgp.model import keys
from tests.daemons.harness.manifests import bgp_conf, eip
from tests.daemons.harness.waiting import stays, wait_until
from tests.kube.harness.control_plane import ControlPlane
from tests.kube.harness.ours import Ours, Seen, controller, ready_cluster

MANAGED = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE}
POOL = "192.0.2.1-192.0.2.14"


@pytest.fixture
def api(control_plane: ControlPlane) -> Api:
    return ready_cluster(control_plane, "node1")


@pytest.fixture
def seen(api: Api) -> Seen:
    return Seen(api)


@pytest.fixture
def ours(control_plane: ControlPlane, api: Api, tmp_path: Path) -> Iterator[Ours]:
    """A controller that runs."""
    made = controller(control_plane, tmp_path)
    made.start()
    yield made
    made.daemon.end()


@pytest.fixture
def pool(api: Api) -> Object:
    """A default pool of 14 addresses."""
    return api.create(eip("pool", POOL, default=True))


def web(namespace: str, *, name: str = "web", **spec: Any) -> Object:
    """A Service that asks for us."""
    return service(name, namespace=namespace, annotations=MANAGED, **spec)


async def test_a_service_gets_its_address_and_everything_that_the_contract_says_of_it(
    control_plane: ControlPlane, ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str
) -> None:
    api.create(web(namespace))
    name = f"{namespace}/web"
    await seen.allocated(name, "192.0.2.1")
    await wait_until(lambda: seen.status("Eip", "pool").get("usage") == 1, within=30, what="the usage")
    found = seen.service(name)
    assert found["metadata"]["labels"] == {keys.EIP_LABEL: "pool"}
    assert found["metadata"]["annotations"][keys.ALLOCATED_ANNOTATION] == "192.0.2.1=pool"
    assert found["status"]["loadBalancer"] == {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}
    allocated = seen.condition(name, "Allocated")
    assert (allocated["status"], allocated["reason"]) == ("True", "Allocated")
    assert (seen.condition(name, "Announced")["status"]) == "False"
    status = {key: value for key, value in seen.status("Eip", "pool").items() if key != "conditions"}
    assert status == {
        "occupied": False,
        "usage": 1,
        "poolSize": 14,
        "used": {"192.0.2.1": name},
        "firstIP": "192.0.2.1",
        "lastIP": "192.0.2.14",
        "ready": False,
        "v4": True,
        "announcedBy": "",
    }
    await wait_until(lambda: len(seen.events("web")) == 2, within=30, what="its events")
    assert [reason for reason, _ in seen.events("web")] == ["AssignIP", "NoBgpConf"]
    printed = control_plane.kubectl("get", "eip,service", "-A")
    assert ["pool", POOL, "1", "14"] in [line.split()[1:5] for line in _after_kind(printed)]
    assert "192.0.2.1" in control_plane.kubectl("get", "service", "web", "-n", namespace)
    described = control_plane.kubectl("describe", "service", "web", "-n", namespace)
    assert "AssignIP" in described and "openelb-controller" in described


async def test_a_crowd_gets_its_addresses_first_and_then_everything_that_is_said_of_them(
    ours: Ours, api: Api, seen: Seen, namespace: str
) -> None:
    names = [f"{namespace}/web{number}" for number in range(40)]
    for name in names:
        one = name.partition("/")[2]
        api.create(web(namespace, name=one, allocateLoadBalancerNodePorts=False))
    api.create(eip("pool", "192.0.2.0/24", default=True))

    def is_whole(name: str) -> bool:
        metadata, given = seen.service(name)["metadata"], seen.addresses(name)
        return (
            len(given) == 1
            and metadata.get("labels") == {keys.EIP_LABEL: "pool"}
            and metadata["annotations"].get(keys.ALLOCATED_ANNOTATION) == f"{given[0]}=pool"
            and seen.condition(name, "Allocated").get("status") == "True"
            and bool(seen.condition(name, "Announced"))
        )

    await wait_until(lambda: all(map(is_whole, names)), within=60, what="everything said of all")
    assert len({seen.addresses(name)[0] for name in names}) == len(names)
    # By a merge patch first, and the rest by apply: what is left of ours goes with either.
    fields = [one for name in names for one in seen.service(name)["metadata"]["managedFields"]]
    ways = {one["operation"] for one in fields if one["manager"] == "openelb-controller"}
    assert ways == {"Apply", "Update"}
    first = names[0]
    api.patch(
        "Service", "web0", {"metadata": {"annotations": {keys.MANAGED_ANNOTATION: None}}}, namespace=namespace
    )
    await seen.released(first)
    await wait_until(lambda: not seen.condition(first, "Allocated"), within=30, what="no condition of ours")

    def is_bare() -> bool:
        metadata = seen.service(first)["metadata"]
        notes = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
        return notes.keys().isdisjoint({keys.EIP_LABEL, keys.ALLOCATED_ANNOTATION})

    await wait_until(is_bare, within=30, what="no note of ours")
    told = [reason for reason, _ in seen.events("web1")]
    assert told.count("AssignIP") == 1


async def test_addresses_are_written_once_and_then_nothing_is(
    ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str
) -> None:
    api.create(web(namespace))
    name = f"{namespace}/web"
    await seen.allocated(name)
    # Kubernetes makes its EndpointSlice meanwhile, an empty one: that is the last thing to be said of it.
    await wait_until(
        lambda: seen.condition(name, "Announced").get("reason") == "NoEndpoints",
        within=40,
        what="the last word",
    )
    assert "look at its selector" in seen.condition(name, "Announced")["message"]
    version = _version(seen.service(name))
    await stays(lambda: _version(seen.service(name)) == version, during=3.0, what="the Service unwritten")


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"annotations": {keys.MANAGED_ANNOTATION: None}}},
        {"spec": {"type": "ClusterIP"}},
    ],
    ids=["annotation", "type"],
)
async def test_a_service_that_stops_being_ours_is_released_at_once(
    ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str, change: Object
) -> None:
    name = f"{namespace}/web"
    api.create(web(namespace))
    await seen.allocated(name)
    api.patch("Service", "web", change, namespace=namespace)
    await seen.released(name)
    await wait_until(lambda: not seen.condition(name, "Allocated"), within=30, what="no condition of ours")
    metadata = seen.service(name)["metadata"]
    assert keys.EIP_LABEL not in metadata.get("labels", {})
    assert keys.ALLOCATED_ANNOTATION not in metadata.get("annotations", {})
    await wait_until(lambda: seen.status("Eip", "pool")["usage"] == 0, within=30, what="a free pool")
    await wait_until(
        lambda: "ReleaseIP" in dict(seen.events("web")), within=30, what="the event of the release"
    )


async def test_a_class_of_ours_opts_in_and_a_class_of_others_is_left_alone(
    ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str
) -> None:
    theirs = {"name": "theirs", "loadBalancerClass": "example.org/theirs"}
    api.create(web(namespace, **theirs))
    mine = service("mine", namespace=namespace, loadBalancerClass=keys.LOAD_BALANCER_CLASS)
    api.create(mine)
    await seen.allocated(f"{namespace}/mine", "192.0.2.1")
    left = seen.service(f"{namespace}/theirs")
    assert left["status"] == {"loadBalancer": {}} and "labels" not in left["metadata"]


async def test_claim_all_takes_what_has_no_class_and_gives_it_back_when_it_is_left_out_again(
    control_plane: ControlPlane, pool: Object, api: Api, seen: Seen, namespace: str, tmp_path: Path
) -> None:
    api.create(service("plain", namespace=namespace))
    api.create(service("theirs", namespace=namespace, loadBalancerClass="example.org/theirs"))
    api.create(web(namespace))
    claiming, modest = (
        controller(control_plane, tmp_path / "1", "--claim-all"),
        controller(control_plane, tmp_path),
    )
    for ours in (claiming, modest):
        ours.start()
        try:
            await seen.allocated(f"{namespace}/web")
            if ours is claiming:
                await seen.allocated(f"{namespace}/plain")
            else:
                await seen.released(f"{namespace}/plain")
            assert seen.addresses(f"{namespace}/theirs") == []
        finally:
            ours.terminate()


async def test_services_that_are_deleted_give_their_addresses_back(
    ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str
) -> None:
    api.create(web(namespace))
    await seen.allocated(f"{namespace}/web", "192.0.2.1")
    api.delete("Service", "web", namespace=namespace)
    await wait_until(lambda: seen.status("Eip", "pool")["usage"] == 0, within=30, what="a free pool")
    api.create(web(namespace, name="next"))
    await seen.allocated(f"{namespace}/next", "192.0.2.1")


async def test_finalizers_of_openelb_hold_nothing_up_and_those_of_others_stay(
    ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str
) -> None:
    made = web(namespace)
    made["metadata"]["finalizers"] = ["example.org/theirs", *sorted(keys.FINALIZERS_OF_OPENELB)]
    api.create(made)
    finalized = eip("other", "198.51.100.0/30")
    finalized["metadata"]["finalizers"] = ["finalizer.ipam.kubesphere.io/v1alpha1"]
    api.create(finalized)
    await wait_until(
        lambda: seen.service(f"{namespace}/web")["metadata"]["finalizers"] == ["example.org/theirs"],
        within=30,
        what="the Service without OpenELB's finalizers",
    )
    api.delete("Eip", "other")
    await wait_until(lambda: api.find("Eip", "other") is None, within=30, what="the Eip gone")
    api.patch("Service", "web", {"metadata": {"finalizers": None}}, namespace=namespace)


async def test_whoever_edits_a_report_is_put_right_once_for_each_edit(
    ours: Ours, pool: Object, api: Api, seen: Seen
) -> None:
    await wait_until(lambda: seen.status("Eip", "pool").get("poolSize") == 14, within=30, what="a report")
    for size in (1, 2):
        api.patch("Eip", "pool", {"status": {"poolSize": size, "used": None}}, subresource="status")
        await wait_until(lambda: seen.status("Eip", "pool")["poolSize"] == 14, within=30, what="14 again")
    assert "used" not in seen.status("Eip", "pool")
    assert len(ours.logged("status_put_right")) == 2


async def test_an_address_that_somebody_takes_out_of_a_status_comes_back(
    ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str
) -> None:
    api.create(web(namespace))
    await seen.allocated(f"{namespace}/web", "192.0.2.1")
    api.patch("Service", "web", {"status": {"loadBalancer": None}}, namespace=namespace, subresource="status")
    await seen.allocated(f"{namespace}/web", "192.0.2.1")


async def test_an_address_of_another_load_balancer_is_reported_and_stays(
    ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str
) -> None:
    made = api.create(web(namespace))
    # Whole, as a cloud's load balancer may write it.
    ports = [{"port": 80, "protocol": "TCP", "error": "example.org/none"}, {"port": 81, "protocol": "UDP"}]
    theirs = [{"ip": "10.0.0.1", "ipMode": "VIP", "ports": ports}]
    made["status"] = {"loadBalancer": {"ingress": theirs}}
    await seen.allocated(f"{namespace}/web")
    api.patch(
        "Service",
        "web",
        {"status": {"loadBalancer": {"ingress": theirs}}},
        namespace=namespace,
        subresource="status",
    )
    await seen.allocated(f"{namespace}/web", "10.0.0.1", "192.0.2.1")
    assert seen.service(f"{namespace}/web")["status"]["loadBalancer"]["ingress"][0] == theirs[0]
    await wait_until(
        lambda: "ForeignAddress" in dict(seen.events("web")), within=30, what="the event about it"
    )
    api.patch(
        "Service", "web", {"metadata": {"annotations": {keys.MANAGED_ANNOTATION: None}}}, namespace=namespace
    )
    await seen.allocated(f"{namespace}/web", "10.0.0.1")


async def test_a_dual_stack_service_gets_one_address_per_family_and_sharers_share(
    ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str
) -> None:
    api.create(eip("pool6", "2001:db8::/126", default=True))
    api.create(web(namespace, name="both", ipFamilyPolicy="RequireDualStack"))
    await seen.allocated(f"{namespace}/both", "192.0.2.1", "2001:db8::")
    for name, port in (("dns", 53), ("http", 80)):
        shared = web(namespace, name=name, ports=[{"port": port}])
        shared["metadata"]["annotations"] |= {keys.ADDRESS_ANNOTATION: "192.0.2.9"}
        api.create(shared)
    for name in ("dns", "http"):
        await seen.allocated(f"{namespace}/{name}", "192.0.2.9")


async def test_udp_and_sctp_share_an_address_with_tcp_and_are_served_alone_too(
    ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str
) -> None:
    ports = {one: {"name": one.lower(), "port": 53, "protocol": one} for one in ("TCP", "UDP", "SCTP")}
    api.create(web(namespace, name="all", ports=list(ports.values())))
    await seen.allocated(f"{namespace}/all", "192.0.2.1")
    for one, port in ports.items():
        shared = web(namespace, name=f"only-{one.lower()}", ports=[port])
        shared["metadata"]["annotations"] |= {keys.ADDRESS_ANNOTATION: "192.0.2.9"}
        api.create(shared)
        await seen.allocated(f"{namespace}/only-{one.lower()}", "192.0.2.9")
    again = web(namespace, name="again", ports=[ports["SCTP"]])
    again["metadata"]["annotations"] |= {keys.ADDRESS_ANNOTATION: "192.0.2.9"}
    api.create(again)
    await wait_until(
        lambda: seen.condition(f"{namespace}/again", "Allocated").get("reason") == "SharingRefused",
        within=30,
        what="the refusal",
    )


async def test_wrong_objects_get_their_reason_where_the_operator_looks(
    ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str
) -> None:
    # Of two of one second the one counts that comes first by name.
    api.create(eip("zone", "192.0.2.8/30"))
    wanting = web(namespace)
    wanting["metadata"]["annotations"] |= {keys.EIP_ANNOTATION: "nowhere"}
    api.create(wanting)

    def valid(name: str) -> Any:
        conditions = seen.status("Eip", name).get("conditions", ())
        return next((one for one in conditions if one["type"] == "Valid"), {})

    await wait_until(lambda: valid("zone").get("reason") == "Overlap", within=30, what="the conflict")
    allocated = f"{namespace}/web"
    await wait_until(
        lambda: seen.condition(allocated, "Allocated").get("status") == "False", within=30, what="a reason"
    )
    assert "nowhere" in seen.condition(allocated, "Allocated")["message"]
    await wait_until(
        lambda: "AssignIPFailed" in dict(seen.events("web")), within=30, what="the event of the failure"
    )
    api.create(eip("nowhere", "203.0.113.0/30"))
    await seen.allocated(allocated, "203.0.113.0")


async def test_what_we_apply_is_ours_alone_and_what_was_applied_stays_unchanged(
    control_plane: ControlPlane, ours: Ours, pool: Object, api: Api, seen: Seen, namespace: str
) -> None:
    """A tool that compares what it applied with what is there (GitOps) finds no difference."""
    applied = web(namespace)
    applied["spec"]["ports"] = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]
    conf = bgp_conf()
    api.apply(applied, manager="gitops")
    api.apply(conf, manager="gitops")
    await seen.allocated(f"{namespace}/web")
    for obj in (applied, conf):
        api.apply(obj, manager="gitops", force=False)
    assert seen.addresses(f"{namespace}/web") == ["192.0.2.1"]
    entries = seen.service(f"{namespace}/web")["metadata"]["managedFields"]
    assert ["openelb-controller", "Apply", "status"] in [
        [one["manager"], one["operation"], one.get("subresource")] for one in entries
    ]


def _version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])


def _after_kind(printed: str) -> list[str]:
    """kubectl's lines with the kind before the name cut off."""
    return [line.replace("/", " ", 1) for line in printed.splitlines() if "/" in line]
