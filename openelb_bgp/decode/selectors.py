"""Label selectors: wire to model. A selector that is not understood is fatal: nobody knows whom it meant."""

from openelb_bgp.model.meta import LabelSelector, Requirement

from .findings import Findings
from .walk import numbered
from .wire import common as wire

_WITH_VALUES = ("In", "NotIn")
_WITHOUT_VALUES = ("Exists", "DoesNotExist")


def selector(found: wire.LabelSelector | None, path: str, findings: Findings) -> LabelSelector | None:
    """The model's selector, None where none is written."""
    if found is None:
        return None
    for index, one in numbered(found.match_expressions):
        _check(one, f"{path}.matchExpressions[{index}]", findings)
    return LabelSelector(
        tuple(sorted((found.match_labels or {}).items())),
        tuple(
            Requirement(one.key, one.operator, tuple(one.values or ()))
            for one in found.match_expressions or ()
        ),
    )


def _check(one: wire.Requirement, path: str, findings: Findings) -> None:
    if one.operator in _WITH_VALUES:
        if not one.values:
            findings.fatal(
                f"{path}.values", None, f"is empty, and {one.operator} compares with it", "add one"
            )
    elif one.operator in _WITHOUT_VALUES:
        if one.values:
            problem = f"has no place beside {one.operator}"
            findings.fatal(f"{path}.values", one.values, problem, "remove it, or write In or NotIn")
    else:
        options = ", ".join((*_WITH_VALUES, *_WITHOUT_VALUES))
        findings.fatal(f"{path}.operator", one.operator, "is not an operator", f"write one of {options}")
