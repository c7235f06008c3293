"""The chart and the kustomizations are two ways to the same objects."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.write_chart import install_file

from .charts import CHART, NAMESPACE, settings, templated, try_helm
from .rendered import MANIFESTS, SETS, Object, identity, rendered, with_component

WITHOUT_KEEPALIVED = {"keepalived.enabled": False}
VALUES: Mapping[str, Mapping[str, Any]] = {
    "all": {},
    "base": WITHOUT_KEEPALIVED,
    "before-1.30": WITHOUT_KEEPALIVED,
    "bgp-only": {"speaker.layer2": False, "speaker.vip": False},
    "layer2": {"speaker.vip": False},
    "vip": {"speaker.layer2": False},
}
"""The values by which the chart gives what each kustomization gives."""
FLAGS = {"before-1.30": ("--kube-version", "1.29.0")}


def _by_identity(objects: Iterable[Object]) -> dict[str, Object]:
    """All but the namespace, which is Helm's to make, and empty documents."""
    found = [obj for obj in objects if obj]
    named = {identity(obj): obj for obj in found if obj["kind"] != "Namespace"}
    assert len(named) == len([obj for obj in found if obj["kind"] != "Namespace"]), "an object is there twice"
    return named


@pytest.mark.parametrize("folder", SETS, ids=lambda folder: folder.name)
def test_the_chart_gives_what_the_kustomization_gives(folder: Path) -> None:
    ours = templated(settings(VALUES[folder.name]), "--include-crds", *FLAGS.get(folder.name, ()))
    assert _by_identity(ours) == _by_identity(rendered(folder))


def test_the_definitions_that_helm_shows_are_those_of_the_manifests() -> None:
    """Which is what kubectl is given before an upgrade."""
    shown = yaml.safe_load_all(try_helm("show", "crds", str(CHART)).stdout)
    assert _by_identity(shown) == _by_identity(rendered(MANIFESTS / "crds"))


def test_the_packaged_chart_gives_the_same(tmp_path: Path) -> None:
    """With its definitions and the files that templates read, of the version that the packager says."""
    argv = ("--version", "1.2.3", "--app-version", "1.2.3", "--destination", str(tmp_path))
    packaged = try_helm("package", str(CHART), *argv, folder=tmp_path)
    assert packaged.returncode == 0, packaged.stderr
    values = ("--include-crds", "--set", "dashboard.enabled=true,image.tag=0.1.0")
    done = try_helm("template", "openelb", str(tmp_path / "openelb-bgp-1.2.3.tgz"), "-n", NAMESPACE, *values)
    expected = templated(settings({"dashboard.enabled": True}), "--include-crds")
    assert _by_identity(yaml.safe_load_all(done.stdout)) == _by_identity(expected)


def test_another_chart_may_have_it_as_a_dependency(tmp_path: Path) -> None:
    """Its globals reach every image, and `enabled`, by which such charts switch parts, is understood."""
    dependency = {"name": "openelb-bgp", "version": "0.1.0", "condition": "openelb-bgp.enabled"}
    chart = {"apiVersion": "v2", "name": "platform", "version": "1.0.0", "dependencies": [dependency]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(chart))
    shutil.copytree(CHART, tmp_path / "charts" / "openelb-bgp")
    given = {
        "global": {"imageRegistry": "mirror.example", "storageClass": "of another chart"},
        "openelb-bgp": {"enabled": True, "speaker": {"vip": False}},
    }
    argv = ("template", "platform", str(tmp_path), "-n", NAMESPACE, "--values", "-")
    done = try_helm(*argv, stdin=yaml.safe_dump(given))
    expected = templated(settings({"global.imageRegistry": "mirror.example", "speaker.vip": False}))
    assert _by_identity(yaml.safe_load_all(done.stdout)) == _by_identity(expected), done.stderr


def test_quiet_edits_are_a_value(tmp_path: Path) -> None:
    ours = templated(settings({**WITHOUT_KEEPALIVED, "gobgpd.quietEdits": True}), "--include-crds")
    assert _by_identity(ours) == _by_identity(with_component(tmp_path, "quiet-edits"))


def test_in_another_namespace_nothing_points_back_to_ours() -> None:
    objects = templated({}, namespace="load-balancers")
    assert NAMESPACE not in yaml.safe_dump_all(objects)
    namespaces = {obj["metadata"].get("namespace", "load-balancers") for obj in objects}
    assert namespaces == {"load-balancers", "kube-system"}


def test_the_install_file_is_the_overlay_with_every_mode() -> None:
    assert (MANIFESTS / "install.yaml").read_text() == install_file(), "run `make chart`"


def test_the_install_file_gives_what_the_chart_gives_left_as_it_is() -> None:
    applied = yaml.safe_load_all((MANIFESTS / "install.yaml").read_text())
    assert _by_identity(applied) == _by_identity(templated({}, "--include-crds"))


def test_each_value_of_the_schema_stands_in_the_values_file() -> None:
    """But for OpenELB's that have no effect, and what a chart above this one sets."""
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())["properties"]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(schema) - set(values) == {"enabled", "admission", "customImage"}
    parts = {name: set(part["properties"]) for name, part in schema.items() if part.get("properties")}
    assert {name: left for name in parts if (left := parts[name] - set(values.get(name, ())))} == {
        "speaker": {"memberlistSecret"}
    }
