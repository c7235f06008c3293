"""What of the chart is made from other manifests is what they say."""

from pathlib import Path

import yaml

from hack.write_chart import CONDITIONS, definitions, observability, templates

MANIFESTS = Path(__file__).parents[2] / "manifests"
CHART = MANIFESTS / "chart"


def test_the_definitions_are_those_of_the_manifests() -> None:
    written = {path.name: path.read_text() for path in (CHART / "crds").iterdir()}
    assert written == definitions(), "run `make chart`"


def test_alerts_and_dashboard_are_those_of_the_manifests() -> None:
    written = {path.name: path.read_text() for path in (CHART / "files").iterdir()}
    assert written == observability(), "run `make chart`"


def test_rights_and_admission_are_those_of_the_base() -> None:
    written = {name: (CHART / "templates" / name).read_text() for name in CONDITIONS}
    assert written == templates(), "run `make chart`"


def test_every_place_that_names_the_namespace_follows_the_release() -> None:
    assert not [name for name, text in templates().items() if "openelb-system" in text]


def test_chart_and_manifests_are_of_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    kustomizations = (MANIFESTS / "base", MANIFESTS / "components" / "vip")
    tags = {
        image["newTag"]
        for folder in kustomizations
        for image in yaml.safe_load((folder / "kustomization.yaml").read_text())["images"]
    }
    assert {chart["version"], chart["appVersion"]} == tags
