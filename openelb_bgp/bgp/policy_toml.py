"""BgpConf.policy: GoBGP's TOML → the policy vocabulary, or everything that is wrong with it. Pure.

A policy is taken whole or not at all, because a statement that lost a condition would match everything;
only what has nothing to do with policy (`global.config`, `neighbors`, …) is left out with a warning. How a
user's policies stand beside ours is the plan's matter.
"""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from openelb_bgp.decode.findings import Findings
from openelb_bgp.decode.walk import numbered, walk
from openelb_bgp.model import keys
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import Key
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.snapshot import Snapshot

from . import policy_wire as wire
from .policy_model import DefinedKind, DefinedSet, Disposition, Policy
from .policy_sets import defined_sets
from .policy_statements import DISPOSITIONS, statement

_NAME_REMEDY = "write a name"


class ParsedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A user's policy. Statement names are unique; every name that is referred to exists.

    `imports` and `exports` are the policies bound in each direction, in order; the defaults are None where
    the text does not say. `warnings` name what the text says that is not policy.
    """

    sets: tuple[DefinedSet, ...] = ()
    policies: tuple[Policy, ...] = ()
    imports: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    default_import: Disposition | None = None
    default_export: Disposition | None = None
    warnings: tuple[Defect, ...] = ()


def parse_policy(text: str) -> ParsedPolicy | tuple[Defect, ...]:
    """Read the policy; where anything is wrong, all defects with their path in the TOML. Never raises."""
    findings = Findings()
    document = _load(text, findings)
    ours, warnings = _split(document)
    read = walk(ours, wire.Document, findings, unknown=True)
    sets = defined_sets(read.defined_sets or wire.DefinedSets(), findings)
    policies = _policies(read.policy_definitions, sets, findings)
    parsed = _bound(read, sets, policies, findings)
    if findings.defects:
        return tuple(_as_fatal(defect) for defect in findings.defects)
    return msgspec.structs.replace(parsed, warnings=warnings)


def _load(text: str, findings: Findings) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # ValueError also for integers of thousands of digits.
        findings.fatal(keys.POLICY_KEY, None, f"is no TOML: {error}", "correct the text at that place")
        return {}


def _split(document: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Defect, ...]]:
    """What is about policy, with `global.apply-policy` on top; warnings for the rest."""
    ours = {key: document[key] for key in ("defined-sets", "policy-definitions") if key in document}
    general = document.get("global")
    general = general if isinstance(general, dict) else {}
    if "apply-policy" in general:
        ours["apply-policy"] = general["apply-policy"]
    rest = [key for key in document if key not in (*ours, "global")]
    rest += [f"global.{key}" for key in general if key != "apply-policy"]
    return ours, tuple(_not_policy(path) for path in rest)


def _not_policy(path: str) -> Defect:
    return Defect(
        path,
        "",
        "is not policy and has no effect here",
        "remove it; BgpConf and BgpPeer have the settings of the daemon and of its neighbours",
        Reason.NO_EFFECT,
        fatal=False,
    )


def _as_fatal(defect: Defect) -> Defect:
    path = defect.path
    path = f"global.{path}" if path.startswith("apply-policy") else path
    return msgspec.structs.replace(defect, path=path, reason=Reason.BAD_POLICY, fatal=True)


def _policies(
    written: tuple[wire.PolicyDefinition, ...] | None, sets: tuple[DefinedSet, ...], findings: Findings
) -> tuple[Policy, ...]:
    names = {kind: {one.name for one in sets if one.kind is kind} for kind in DefinedKind}
    policies: list[Policy] = []
    for index, one in numbered(written):
        path = f"policy-definitions[{index}]"
        if not one.name:
            findings.missing(f"{path}.name", _NAME_REMEDY)
        name = one.name or ""
        statements = tuple(
            statement(each, f"{path}.statements[{at}]", f"{name}_stmt{at}", names, findings)
            for at, each in numbered(one.statements)
        )
        policies.append(Policy(name, statements))
    _check_unique((policy.name for policy in policies), "policies", findings)
    _check_unique(_statement_names(policies), "statements", findings)
    return tuple(policies)


def _statement_names(policies: Iterable[Policy]) -> Iterable[str]:
    return (one.name for policy in policies for one in policy.statements)


def _check_unique(names: Iterable[str], what: str, findings: Findings) -> None:
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            problem = f"is the name of two {what}, and GoBGP wants them unique in the whole text"
            findings.fatal("policy-definitions", name, problem, "rename one of them")
        seen.add(name)


def _bound(
    read: wire.Document, sets: tuple[DefinedSet, ...], policies: tuple[Policy, ...], findings: Findings
) -> ParsedPolicy:
    config = (read.apply_policy and read.apply_policy.config) or wire.ApplyPolicyConfig()
    known = {policy.name for policy in policies}
    path = "apply-policy.config"
    for name in ("in-policy-list", "default-in-policy"):
        if wire.at(config, name) is not None:
            findings.fatal(f"{path}.{name}", None, "is for route servers only", "remove it")
    return ParsedPolicy(
        sets=sets,
        policies=policies,
        imports=_names(config.import_policy_list, f"{path}.import-policy-list", known, findings),
        exports=_names(config.export_policy_list, f"{path}.export-policy-list", known, findings),
        default_import=_default(config.default_import_policy),
        default_export=_default(config.default_export_policy),
    )


def _names(
    written: tuple[str, ...] | None, path: str, known: set[str], findings: Findings
) -> tuple[str, ...]:
    found: list[str] = []
    for index, name in numbered(written):
        if name not in known:
            findings.fatal(
                f"{path}[{index}]", name, "is no policy of this text", "define it under policy-definitions"
            )
        elif name in found:
            findings.fatal(f"{path}[{index}]", name, "stands there twice", "remove one of them")
        found.append(name)
    return tuple(found)


def _default(written: str | None) -> Disposition | None:
    return None if written is None else DISPOSITIONS[written]


def policy_defects(snapshot: Snapshot, *, namespace: str = keys.DEFAULT_NAMESPACE) -> tuple[Defect, ...]:
    """What is wrong with the text that the BgpConf's policy names; nothing where there is no such text."""
    conf = snapshot.bgp_conf
    if conf is None or conf.policy is None:
        return ()
    holder = snapshot.config_maps.get(Key(namespace, conf.policy))
    text = holder.data.get(keys.POLICY_KEY) if holder else None
    if text is None:
        return ()
    parsed = parse_policy(text)
    return parsed.warnings if isinstance(parsed, ParsedPolicy) else parsed
