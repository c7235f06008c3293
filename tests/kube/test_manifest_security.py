"""What each process of ours may do on a node, as the manifests say it."""

from pathlib import Path

import pytest
import yaml

from tests.kube.rendered import (
    BASE,
    MANIFESTS,
    SETS,
    Object,
    containers,
    one,
    pod_of,
    rendered,
    with_component,
)

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
GOBGPD = {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}
SPEAKER = {"drop": ["ALL"], "add": ["NET_RAW"]}
RELEASE = yaml.safe_load((MANIFESTS / "chart" / "Chart.yaml").read_text())["appVersion"]
KEEPALIVED = {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]}


@pytest.fixture(params=SETS, ids=lambda folder: folder.name)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return rendered(request.param)


@pytest.fixture
def speaker(objects: list[Object]) -> Object:
    return pod_of(objects, "DaemonSet", "openelb-speaker")


@pytest.fixture
def controller(objects: list[Object]) -> Object:
    return pod_of(objects, "Deployment", "openelb-controller")


def test_on_a_node_each_process_has_the_one_capability_it_needs_and_no_more(speaker: Object) -> None:
    assert speaker["securityContext"] == {
        "runAsUser": 0,
        "runAsGroup": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert {name: each["securityContext"] for name, each in containers(speaker).items()} == {
        "gobgpd": _restricted(GOBGPD),
        "openelb-speaker": _restricted(SPEAKER),
        **_with_vip(speaker, _restricted(KEEPALIVED)),
    }


def _with_vip(speaker: Object, value: object) -> Object:
    """What is expected of keepalived's container, where the manifests have one."""
    return {"keepalived": value} if "keepalived" in containers(speaker) else {}


def test_only_the_overlays_with_vip_have_keepalived() -> None:
    """It is the one process with NET_ADMIN."""
    having = [
        folder.name
        for folder in SETS
        if "keepalived" in containers(pod_of(rendered(folder), "DaemonSet", "openelb-speaker"))
    ]
    assert having == ["all", "vip"]


def test_keepalived_is_a_native_sidecar_that_ends_after_the_speaker(tmp_path: Path) -> None:
    speaker = pod_of(with_component(tmp_path, "vip"), "DaemonSet", "openelb-speaker")
    assert [(one["name"], one["restartPolicy"]) for one in speaker["initContainers"]] == [
        ("keepalived", "Always"),
        ("gobgpd", "Always"),
    ]
    keepalived = containers(speaker)["keepalived"]
    assert (keepalived["image"], keepalived["command"], keepalived["args"]) == (
        f"openelb-bgp-keepalived:{RELEASE}",
        ["openelb-bgp", "sidecar", "keepalived"],
        ["--dir=/run/openelb-bgp"],
    )


def test_the_controller_is_not_root_and_has_no_capability(controller: Object) -> None:
    assert controller["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
        "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
    }
    assert {name: each["securityContext"] for name, each in containers(controller).items()} == {
        "openelb-controller": _restricted({"drop": ["ALL"]})
    }


def _restricted(capabilities: Object) -> Object:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": capabilities,
    }


def test_only_what_speaks_to_the_api_server_has_a_token(speaker: Object, controller: Object) -> None:
    mounts = {
        name: {mount["mountPath"] for mount in each["volumeMounts"]}
        for pod in (speaker, controller)
        for name, each in containers(pod).items()
    }
    assert (speaker["automountServiceAccountToken"], controller["automountServiceAccountToken"]) == (
        False,
        False,
    )
    assert mounts == {
        "gobgpd": {"/run/openelb-bgp"},
        "openelb-speaker": {"/run/openelb-bgp", TOKEN},
        **_with_vip(speaker, {"/run/openelb-bgp"}),
        "openelb-controller": {TOKEN},
    }


def test_the_node_lends_its_network_and_nothing_else(speaker: Object, controller: Object) -> None:
    shared = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")
    assert {key: speaker[key] for key in shared if key in speaker} == {"hostNetwork": True}
    assert not [key for key in shared if key in controller]
    kinds = {next(key for key in volume if key != "name") for volume in speaker["volumes"]}
    assert kinds == {"emptyDir", "projected"}


def test_gobgpd_has_no_cpu_limit_and_all_have_one_of_memory(speaker: Object, controller: Object) -> None:
    limits = {
        name: each["resources"]["limits"]
        for pod in (speaker, controller)
        for name, each in containers(pod).items()
    }
    # Measured: speaker and controller 160 MB at most with 10,000 Services, gobgpd 74 MB with 50,000 paths.
    assert limits == {
        "gobgpd": {"memory": "512Mi"},
        "openelb-speaker": {"memory": "256Mi"},
        **_with_vip(speaker, {"memory": "128Mi"}),
        "openelb-controller": {"memory": "256Mi"},
    }


def test_pods_go_last_and_run_everywhere(speaker: Object, controller: Object) -> None:
    assert (speaker["priorityClassName"], controller["priorityClassName"]) == (
        "system-node-critical",
        "system-cluster-critical",
    )
    assert speaker["tolerations"] == [{"operator": "Exists"}]


def test_a_drain_leaves_one_controller_and_a_policy_lets_in_what_is_asked_for() -> None:
    objects = rendered(BASE)
    pod = one(objects, "Deployment", "openelb-controller")["spec"]["template"]
    budget = one(objects, "PodDisruptionBudget", "openelb-controller")["spec"]
    policy = one(objects, "NetworkPolicy", "openelb-controller")["spec"]
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": pod["metadata"]["labels"]}}
    assert policy["podSelector"] == budget["selector"] and policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    ports = containers(pod["spec"])["openelb-controller"]["ports"]
    assert {each["port"] for each in rule["ports"]} == {each["name"] for each in ports}


def test_the_images_are_those_of_this_version() -> None:
    pods = (
        pod_of(rendered(BASE), "DaemonSet", "openelb-speaker"),
        pod_of(rendered(BASE), "Deployment", "openelb-controller"),
    )
    assert {each["image"] for pod in pods for each in containers(pod).values()} == {
        f"openelb-bgp:{RELEASE}",
        f"openelb-bgp-gobgpd:{RELEASE}",
    }


def test_quiet_edits_cost_gobgpd_one_capability_more(tmp_path: Path) -> None:
    speaker = pod_of(with_component(tmp_path, "quiet-edits"), "DaemonSet", "openelb-speaker")
    assert {name: each["securityContext"] for name, each in containers(speaker).items()} == {
        "gobgpd": _restricted({"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "SYS_PTRACE"]}),
        "openelb-speaker": _restricted(SPEAKER),
    }
