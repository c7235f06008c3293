"""Every object of the corpus: which defects it has, in the words that users read."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from openelb_bgp.decode import decode
from openelb_bgp.model.errors import Defect

CORPUS = Path(__file__).parent / "corpus"


def _cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{file.stem}: {case['case']}")
        for file in sorted(CORPUS.glob("*.yaml"))
        for case in yaml.safe_load_all(file.read_text())
    ]


def _said(defects: tuple[Defect, ...], *, fatal: bool) -> list[str]:
    return [str(defect) for defect in defects if defect.fatal is fatal]


@pytest.mark.parametrize("case", _cases())
def test_decoding_says_of_each_object_what_the_corpus_says(case: dict[str, Any]) -> None:
    decoded = decode(case["object"])
    defects = decoded.invalid.defects if decoded.invalid else decoded.warnings
    assert _said(defects, fatal=True) == case.get("fatal", [])
    assert _said(defects, fatal=False) == case.get("left_out", [])


@pytest.mark.parametrize("case", _cases())
def test_an_object_is_usable_unless_something_fatal_is_wrong_with_it(case: dict[str, Any]) -> None:
    decoded = decode(case["object"])
    unread = case["object"]["kind"] == "Deployment" or "knative" in case["object"].get("apiVersion", "")
    assert (decoded.invalid is not None) == ("fatal" in case)
    assert (decoded.resource is not None) == ("fatal" not in case and not unread)


def test_no_case_of_the_corpus_shows_a_password() -> None:
    for file in CORPUS.glob("*.yaml"):
        for case in yaml.safe_load_all(file.read_text()):
            said = " ".join((*case.get("fatal", ()), *case.get("left_out", ())))
            assert not any(secret in said for secret in ("hunter2", "4711", "PPPP", "aHVudGVyMg"))
