"""A thousand mutations of the samples: what decoding takes without a word, the API server takes."""

import copy
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.cluster.api import ApiError
from openelb_bgp.decode import decode
from tests.daemons.test_bad_input_mutations import mutate_value, samples

from .harness.control_plane import ControlPlane

CRDS = Path(__file__).parents[2] / "manifests" / "crds"
KINDS = ("Eip", "BgpConf", "BgpPeer")
MUTATIONS = 1000


def mutants(chance: random.Random) -> Iterator[dict[str, Any]]:
    """Of one or two values in the spec each; only what JSON can say, and a Kubernetes number hold."""
    known = [one for one in samples() if one["kind"] in KINDS]
    while True:
        made = copy.deepcopy(chance.choice(known))
        made.pop("status", None)
        for _ in range(chance.randint(1, 2)):
            mutate_value(made["spec"], chance)
        try:
            text = json.dumps(made, allow_nan=False)
        except ValueError:
            continue
        if not re.search(r"[0-9]{19}", text):
            yield made


def test_what_decoding_takes_without_a_word_the_api_server_takes_and_answers_the_rest(
    control_plane: ControlPlane,
) -> None:
    """And no rule fails to be evaluated, or costs too much, whatever stands in the fields."""
    control_plane.kubectl("apply", "-k", str(CRDS))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    made = mutants(random.Random(7))
    wrong, good = [], 0
    for _ in range(MUTATIONS):
        mutant = next(made)
        decoded = decode(mutant)
        is_good = not decoded.invalid and not decoded.warnings
        good += is_good
        try:
            control_plane.api.create(mutant, dryRun="All", fieldValidation="Ignore")
        except ApiError as error:
            is_odd = error.status not in (400, 422) or "no such key" in error.message
            if is_good or is_odd or "cost" in error.message:
                wrong.append((mutant["kind"], mutant["spec"], error.message))
    assert wrong == []
    assert good > 150
