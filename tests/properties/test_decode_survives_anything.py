"""Decoding never raises and never shows a secret, whatever stands in a document."""

import copy
import random
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openelb_bgp.decode import api_version_of, decode
from openelb_bgp.model.meta import Kind

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
DOCUMENTS = [
    document for file in sorted(SAMPLES.glob("*/*.yaml")) for document in yaml.safe_load_all(file.read_text())
]
MUTATIONS = 1000
SECRET = "correct-horse-battery-staple"

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes()
json_like = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


def _check(document: object) -> None:
    """Decode, and hold what every answer must keep to."""
    decoded = decode(document)
    assert decoded.resource is None or decoded.invalid is None
    assert not any(defect.fatal for defect in decoded.warnings)
    if decoded.invalid:
        assert any(defect.fatal for defect in decoded.invalid.defects)
        assert all(defect.problem and defect.remedy for defect in decoded.invalid.defects)
        assert decoded.invalid.message


@given(json_like)
def test_any_value_at_all_is_answered(value: object) -> None:
    _check(value)


@given(st.sampled_from(list(Kind)), json_like, json_like, json_like)
@example(Kind.EIP, {"name": "x"}, {"address": "fe80::%0/64"}, None)
@example(Kind.EIP, {"name": "x"}, {"address": "1.1.1.1/" + "9" * 5000}, None)
@example(Kind.SERVICE, {"name": "x", 5: 6}, {None: True}, {"loadBalancer": {"ingress": [{"ip": "\ud800"}]}})
def test_any_metadata_spec_and_status_is_answered(
    kind: Kind, metadata: object, spec: object, status: object
) -> None:
    _check(
        {
            "apiVersion": api_version_of(kind),
            "kind": kind.value,
            "metadata": metadata,
            "spec": spec,
            "status": status,
        }
    )


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (holder, key) in a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in pairs for place in ((value, key), *_places(inner))]


def _mutate(document: Any, dice: random.Random) -> None:
    holder, key = dice.choice(_places(document))
    match dice.randrange(6):
        case 0:
            del holder[key]
        case 1:
            holder[key] = dice.choice([None, True, -1, 0, 99, 2**32, 1.5, "", "x", [], {}, ["x"], {"x": 1}])
        case 2 if isinstance(holder, dict):
            holder[f"{key}x"] = holder.pop(key)
        case 3 if isinstance(holder[key], str):
            characters = list(holder[key]) or ["x"]
            characters[dice.randrange(len(characters))] = dice.choice("0:/,-%x. \x00é")
            holder[key] = "".join(characters)
        case 4:
            holder[key] = [holder[key]]
        case _:
            holder[key] = copy.deepcopy(dice.choice(DOCUMENTS))


def test_a_thousand_mutations_of_the_samples_are_answered() -> None:
    for seed in range(MUTATIONS):
        dice = random.Random(seed)
        document = copy.deepcopy(dice.choice(DOCUMENTS))
        for _ in range(dice.randint(1, 4)):
            if _places(document):
                _mutate(document, dice)
        _check(document)


@settings(max_examples=200)
@given(
    st.sampled_from(["spec", "conf", "authPassword", "authPasswordSecretRef", "authPasword"]),
    st.sampled_from([SECRET, [SECRET], {"password": SECRET}, {"key": SECRET * 9}, SECRET * 9]),
)
def test_a_password_in_any_place_near_its_own_is_never_shown(field: str, value: Any) -> None:
    conf: dict[str, Any] = {"neighborAddress": "192.0.2.1", "peerAs": 65001}
    spec: Any = {"conf": conf}
    if field == "spec":
        spec = value
    elif field == "conf":
        spec = {"conf": value}
    else:
        conf[field] = value
    decoded = decode(
        {
            "apiVersion": api_version_of(Kind.BGP_PEER),
            "kind": "BgpPeer",
            "metadata": {"name": "x"},
            "spec": spec,
        }
    )
    assert SECRET not in repr((decoded.invalid, decoded.warnings, decoded.resource))


@given(st.sampled_from(["data", "stringData"]), json_like)
def test_values_of_a_secret_are_never_shown(field: str, value: Any) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "x"},
        field: {"good": SECRET, "nested": {"a": SECRET}, "list": [SECRET], "other": value},
    }
    decoded = decode(document)
    assert SECRET not in repr((decoded.invalid, decoded.warnings))
