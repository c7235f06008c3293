"""What the chart's values do, OpenELB's among them, and what is said of those that cannot be used."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from .charts import OPENELBS, refusal, setting, settings, template, templated
from .rendered import MANIFESTS, Object, containers, identity, one, pod_of

DIGEST = f"sha256:{'0' * 64}"


def _pods(objects: list[Object]) -> tuple[Object, Object]:
    """The controller's and the speaker's."""
    return (
        pod_of(objects, "Deployment", "openelb-controller"),
        pod_of(objects, "DaemonSet", "openelb-speaker"),
    )


def _containers(given: Mapping[str, Any]) -> dict[str, Object]:
    controller, speaker = _pods(templated(settings(given)))
    return containers(controller) | containers(speaker)


def _images(given: Mapping[str, Any]) -> dict[str, str]:
    return {name: each["image"] for name, each in _containers(given).items()}


def test_openelbs_registry_and_tag_are_those_of_every_image() -> None:
    assert _images({"global.imageRegistry": "mirror.example:5000/lb", "global.tag": "1.2.3"}) == {
        "openelb-controller": "mirror.example:5000/lb/openelb-bgp:1.2.3",
        "openelb-speaker": "mirror.example:5000/lb/openelb-bgp:1.2.3",
        "gobgpd": "mirror.example:5000/lb/openelb-bgp-gobgpd:1.2.3",
        "keepalived": "mirror.example:5000/lb/openelb-bgp-keepalived:1.2.3",
    }


def test_one_container_may_have_an_image_of_its_own() -> None:
    given = {
        "image.registry": "one.example",
        "image.tag": "1.0.0",
        "speaker.image.repository": "ours/speaker",
        "gobgpd.image.registry": "two.example",
        "keepalived.image.digest": DIGEST,
    }
    assert _images(given) == {
        "openelb-controller": "one.example/openelb-bgp:1.0.0",
        "openelb-speaker": "one.example/ours/speaker:1.0.0",
        "gobgpd": "two.example/openelb-bgp-gobgpd:1.0.0",
        "keepalived": f"one.example/openelb-bgp-keepalived@{DIGEST}",
    }


def test_pull_secrets_are_named_as_openelbs_chart_or_as_pods_name_them() -> None:
    given = {
        "global.imagePullSecrets": ["everywhere", {"name": "too"}],
        "controller.image.pullSecrets": ["of-the-controller"],
        "gobgpd.image.pullSecrets": ["of-gobgpd", "everywhere"],
    }
    controller, speaker = _pods(templated(settings(given)))
    assert [each["name"] for each in controller["imagePullSecrets"]] == [
        "everywhere",
        "too",
        "of-the-controller",
    ]
    assert [each["name"] for each in speaker["imagePullSecrets"]] == ["everywhere", "too", "of-gobgpd"]


def test_a_values_file_of_openelb_is_taken_and_does_what_it_says() -> None:
    objects = templated(OPENELBS)
    controller, speaker = _pods(objects)
    every = containers(controller) | containers(speaker)
    assert {name: (each["image"], each["imagePullPolicy"]) for name, each in every.items()} == {
        # OpenELB's own images do not hold our program: their names and tags are left out.
        "openelb-controller": ("mirror.example/openelb-bgp:0.1.0", "IfNotPresent"),
        "openelb-speaker": ("mirror.example/openelb-bgp:0.1.0", "Always"),
        "gobgpd": ("mirror.example/openelb-bgp-gobgpd:0.1.0", "IfNotPresent"),
        "keepalived": ("mirror.example/openelb-bgp-keepalived:0.1.0", "IfNotPresent"),
    }
    assert every["openelb-controller"]["args"] == [
        "--metrics-addr=:50052",
        "--webhook-port=9443",
        "--leader-elect",
    ]
    assert every["openelb-speaker"]["args"] == [
        "--metrics-addr=:50052",
        "--runtime-dir=/run/openelb-bgp",
        "--await-sidecar",
        "--enable-layer2=true",
        "--enable-keepalived-vip=true",
    ]
    assert every["gobgpd"]["args"] == ["--dir=/run/openelb-bgp", "--api-hosts=:50051"]
    assert every["openelb-speaker"]["resources"] == OPENELBS["speaker"]["resources"]
    assert controller["tolerations"] == OPENELBS["controller"]["tolerations"]
    assert [pod["imagePullSecrets"] for pod in (controller, speaker)] == [[{"name": "pull-secret"}]] * 2


def test_gobgpds_api_is_open_at_each_of_several_hosts() -> None:
    gobgpd = _containers({"speaker.apiHosts": "127.0.0.1:50051,[::1]:50051"})["gobgpd"]
    assert gobgpd["args"][1:] == ["--api-hosts=127.0.0.1:50051", "--api-hosts=[::1]:50051"]


def test_flags_follow_their_values() -> None:
    given = {
        "logLevel": 2,
        "ignoreExcludeLB": True,
        "controller.claimAll": True,
        "controller.monitorPort": 9000,
        "speaker.bindPort": 7000,
        "speaker.extraArgs": ["--resync=60"],
    }
    every = _containers(given)
    assert every["openelb-controller"]["args"] == [
        "--metrics-addr=:9000",
        "--webhook-port=443",
        "--leader-elect",
        "--claim-all",
        "--ignore-exclude-lb",
        "-v=2",
    ]
    assert every["openelb-speaker"]["args"][5:] == [
        "--bind-port=7000",
        "--ignore-exclude-lb",
        "-v=2",
        "--resync=60",
    ]
    assert every["openelb-controller"]["ports"][1]["containerPort"] == 9000


def test_pods_are_placed_where_the_values_say() -> None:
    affinity: Object = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}
    }
    given = {
        "speaker.nodeSelector": {"edge": "true"},
        "speaker.affinity": affinity,
        "speaker.tolerations": [{"key": "edge", "operator": "Exists"}],
        "speaker.priorityClassName": "mine",
        "speaker.podLabels": {"team": "net", "app": "not-this"},
        "speaker.podAnnotations": {"note": "1"},
        "speaker.maxUnavailable": 1,
        "controller.replicas": 1,
    }
    objects = templated(settings(given))
    daemon_set = one(objects, "DaemonSet", "openelb-speaker")["spec"]
    pod = daemon_set["template"]["spec"]
    assert {key: pod[key] for key in ("nodeSelector", "affinity", "tolerations", "priorityClassName")} == {
        "nodeSelector": {"edge": "true", "kubernetes.io/os": "linux"},
        "affinity": affinity,
        "tolerations": [{"key": "edge", "operator": "Exists"}],
        "priorityClassName": "mine",
    }
    assert daemon_set["template"]["metadata"] == {
        "labels": {"app": "openelb", "component": "speaker", "team": "net"},
        "annotations": {"note": "1"},
    }
    assert daemon_set["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1}
    assert one(objects, "Deployment", "openelb-controller")["spec"]["replicas"] == 1


def test_without_the_webhook_nothing_asks_us_and_nothing_listens() -> None:
    objects = templated(setting("webhook.enabled", False))
    kinds = {identity(obj) for obj in templated({})} - {identity(obj) for obj in objects}
    assert kinds == {
        "ValidatingWebhookConfiguration openelb-admission",
        "Service openelb-system/openelb-controller",
    }
    controller = pod_of(objects, "Deployment", "openelb-controller")
    assert "sysctls" not in controller["securityContext"]
    assert controller["containers"][0]["args"][1] == "--webhook-port=0"
    policy = one(objects, "NetworkPolicy", "openelb-controller")["spec"]
    assert [port["port"] for port in policy["ingress"][0]["ports"]] == ["metrics"]


def test_without_speakers_nothing_of_theirs_is_there() -> None:
    objects = templated(setting("speaker.enable", False))
    left = {identity(obj) for obj in objects if "speaker" in identity(obj)}
    assert left == set()


def test_prometheus_finds_both_by_services_of_theirs() -> None:
    given = {
        "controller.monitorEnable": True,
        "speaker.monitorEnable": True,
        "serviceMonitor.labels": {"release": "prometheus"},
        "serviceMonitor.interval": "30s",
    }
    objects = templated(settings(given))
    for component in ("controller", "speaker"):
        monitor = one(objects, "ServiceMonitor", f"openelb-{component}")
        service = one(objects, "Service", f"openelb-{component}")
        labels = {"app": "openelb", "component": component}
        assert monitor["metadata"]["labels"] == {**labels, "release": "prometheus"}
        assert monitor["spec"] == {
            "selector": {"matchLabels": labels},
            "endpoints": [{"port": "metrics", "interval": "30s"}],
        }
        assert service["metadata"]["labels"] == service["spec"]["selector"] == labels
        assert "metrics" in [port["name"] for port in service["spec"]["ports"]]


def test_alerts_and_dashboard_are_those_of_the_manifests() -> None:
    given = {
        "prometheusRule.enabled": True,
        "prometheusRule.labels": {"release": "prometheus"},
        "dashboard.enabled": True,
        "dashboard.annotations": {"grafana_folder": "Network"},
    }
    objects = templated(settings(given))
    alerts = yaml.safe_load((MANIFESTS / "grafana" / "alerts.yaml").read_text())
    alerts["metadata"]["labels"]["release"] = "prometheus"
    assert one(objects, "PrometheusRule", "openelb-bgp") == alerts
    dashboard = one(objects, "ConfigMap", "openelb-dashboard")
    assert json.loads(dashboard["data"]["openelb-bgp.json"]) == json.loads(
        (MANIFESTS / "grafana" / "dashboard.json").read_text()
    )
    assert dashboard["metadata"] == {
        "name": "openelb-dashboard",
        "namespace": "openelb-system",
        "labels": {"app": "openelb", "grafana_dashboard": "1"},
        "annotations": {"grafana_folder": "Network"},
    }


def test_before_sidecars_were_native_keepalived_is_a_container_like_gobgpd() -> None:
    speaker = pod_of(templated({}, "--kube-version", "1.29.0"), "DaemonSet", "openelb-speaker")
    assert [each["name"] for each in speaker["containers"]] == ["openelb-speaker", "keepalived", "gobgpd"]
    assert "initContainers" not in speaker


def test_older_clusters_are_refused() -> None:
    done = template({}, "--kube-version", "1.24.0")
    assert done.returncode != 0
    assert "requires kubeVersion: >=1.25.0-0" in done.stderr


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("speaker.laier2", True, r"/speaker.*'laier2' not allowed"),
        ("speeker.layer2", True, r"'speeker' not allowed"),
        ("speaker.layer2", "yes", r"/speaker/layer2.*got string, want boolean"),
        ("controller.webhookPort", "443", r"/controller/webhookPort.*got string, want integer"),
        ("controller.webhookPort", 70000, r"/controller/webhookPort.*maximum: got 70,000, want 65,535"),
        ("image.tag", 1.0, r"/image/tag.*got number, want"),
        ("image.pullPolicy", "ifnotpresent", r"/image/pullPolicy.*'Always', 'IfNotPresent', 'Never'"),
        ("speaker.apiHosts", "50051", r"/speaker/apiHosts.*does not match pattern"),
        (
            "controller.tolerations",
            [{"key": "a", "operater": "Exists"}],
            r"/tolerations/0.*'operater' not allowed",
        ),
        ("gobgpd.resources", {"limit": {"memory": "1Gi"}}, r"/gobgpd/resources.*'limit' not allowed"),
        ("speaker.resources.limits", {"memory": "512 MB"}, r"/resources/limits/memory.*pattern"),
        ("speaker.nodeSelector", {"edge": True}, r"/speaker/nodeSelector/edge.*got boolean, want string"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value and " " not in value else "",
)
def test_a_typing_error_is_refused_with_its_place(path: str, value: object, said: str) -> None:
    assert re.search(said, refusal(setting(path, value)), re.DOTALL)
