"""What we hand out is taken by a real API server: every set of manifests, every sample."""

from pathlib import Path

import pytest

from tests.kube.harness.control_plane import ControlPlane
from tests.kube.rendered import BASE, MANIFESTS, SETS, rendered

SAMPLES = sorted(MANIFESTS.glob("samples/**/*.yaml"))


@pytest.fixture
def cluster(control_plane: ControlPlane) -> ControlPlane:
    """A control plane with our namespace and definitions, without which a dry run finds neither."""
    control_plane.kubectl("apply", "-f", str(BASE / "namespace.yaml"))
    control_plane.kubectl("apply", "-k", str(MANIFESTS / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    return control_plane


@pytest.mark.parametrize("folder", SETS, ids=lambda folder: folder.name)
def test_each_set_is_taken_by_an_api_server(cluster: ControlPlane, folder: Path) -> None:
    lines = cluster.kubectl("apply", "--dry-run=server", "-k", str(folder)).splitlines()
    assert len(lines) == len(rendered(folder))
    assert not [line for line in lines if not line.endswith("(server dry run)")]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_sample_is_taken_by_an_api_server(cluster: ControlPlane, sample: Path) -> None:
    lines = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(sample)).splitlines()
    assert lines
    assert not [line for line in lines if not line.endswith("(server dry run)")]


def test_applying_it_again_changes_nothing(cluster: ControlPlane) -> None:
    cluster.kubectl("apply", "-k", str(BASE))
    cluster.kubectl("apply", "-k", str(BASE))
    assert cluster.try_kubectl("diff", "-k", str(BASE)).stdout == ""
    workloads = [("Deployment", "openelb-controller"), ("DaemonSet", "openelb-speaker")]
    seen = [cluster.api.get(kind, name, namespace="openelb-system") for kind, name in workloads]
    assert [one["metadata"]["generation"] for one in seen] == [1, 1]


def test_a_fresh_cluster_takes_the_base_in_one_go(own_control_plane: ControlPlane) -> None:
    lines = own_control_plane.kubectl("apply", "-k", str(BASE)).splitlines()
    assert len(lines) == len(rendered(BASE))
