"""The defined sets of a user's policy: TOML shape → the policy vocabulary, with what is wrong in them.

Also the checks of what stands in sets and in actions alike: communities, expressions, addresses.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from openelb_bgp.decode.communities import community
from openelb_bgp.decode.findings import Findings
from openelb_bgp.decode.walk import numbered
from openelb_bgp.model.addresses import Family

from . import policy_wire as wire
from .policy_model import DefinedKind, DefinedSet, PrefixRange

_MASK_RANGE = re.compile(r"([0-9]{1,3})\.\.([0-9]{1,3})")
_EXT_SUBTYPES = ("rt", "soo", "encap", "lb")
_VALIDATION_STATES = ("valid", "not-found", "invalid")
_NEVER = "is empty, and GoBGP lets an empty set match everything"

Check = Callable[[str], str]
"""Says what is wrong with a member, empty where nothing is."""


def defined_sets(read: wire.DefinedSets, findings: Findings) -> tuple[DefinedSet, ...]:
    """All sets, in the order of their kinds and then as written."""
    bgp = read.bgp_defined_sets or wire.BgpDefinedSets()
    if read.tag_sets is not None:
        findings.fatal("defined-sets.tag-sets", None, "is not supported by GoBGP", "remove it")
    found = list(_prefix_sets(read.prefix_sets, findings))
    found += _member_sets(DefinedKind.NEIGHBOR, read.neighbor_sets, findings)
    found += _member_sets(DefinedKind.AS_PATH, bgp.as_path_sets, findings)
    found += _member_sets(DefinedKind.COMMUNITY, bgp.community_sets, findings)
    found += _member_sets(DefinedKind.EXT_COMMUNITY, bgp.ext_community_sets, findings)
    found += _member_sets(DefinedKind.LARGE_COMMUNITY, bgp.large_community_sets, findings)
    _check_names(found, findings)
    return tuple(found)


def _prefix_sets(written: tuple[wire.PrefixSet, ...] | None, findings: Findings) -> Iterable[DefinedSet]:
    for index, one in numbered(written):
        path = f"defined-sets.prefix-sets[{index}]"
        if not one.prefix_set_name:
            findings.missing(f"{path}.prefix-set-name", "write a name")
        prefixes = [
            _prefix(each, f"{path}.prefix-list[{at}]", findings) for at, each in numbered(one.prefix_list)
        ]
        if not one.prefix_list:
            findings.fatal(f"{path}.prefix-list", None, _NEVER, "write a prefix, or remove the set")
        good = tuple(each for each in prefixes if each is not None)
        if len({each.prefix.version for each in good}) > 1:
            remedy = "make a set for each family; GoBGP refuses a mix"
            findings.fatal(f"{path}.prefix-list", None, "mixes IPv4 and IPv6", remedy)
        yield DefinedSet(kind=DefinedKind.PREFIX, name=one.prefix_set_name or "", prefixes=good)


def _prefix(one: wire.Prefix, path: str, findings: Findings) -> PrefixRange | None:
    if one.rtc_prefix is not None:
        findings.fatal(f"{path}.rtc-prefix", None, "is not of a family that is announced", "remove it")
    if not one.ip_prefix:
        findings.missing(f"{path}.ip-prefix", "write a prefix such as 192.0.2.0/24")
        return None
    try:
        prefix = ip_network(one.ip_prefix, strict=False)
    except ValueError:
        findings.fatal(f"{path}.ip-prefix", one.ip_prefix, "is no prefix", "write one such as 192.0.2.0/24")
        return None
    if not one.masklength_range:
        return PrefixRange(prefix, prefix.prefixlen, prefix.prefixlen)
    where, remedy = f"{path}.masklength-range", "write two lengths such as 24..32, the lower one first"
    bounds = _MASK_RANGE.fullmatch(one.masklength_range)
    if bounds is None:
        findings.fatal(where, one.masklength_range, "is no range of lengths", remedy)
        return None
    low, high = int(bounds[1]), int(bounds[2])
    if not low <= high <= Family.of(prefix).bits:
        problem = f"is no range of lengths up to {Family.of(prefix).bits}"
        findings.fatal(where, one.masklength_range, problem, remedy)
        return None
    return PrefixRange(prefix, low, high)


def _member_sets(
    kind: DefinedKind, written: tuple[Any, ...] | None, findings: Findings
) -> Iterable[DefinedSet]:
    """The sets in a `KIND-sets` table, whose fields are called `KIND-set-name` and `KIND-list`."""
    is_neighbor = kind is DefinedKind.NEIGHBOR
    base = "defined-sets" if is_neighbor else "defined-sets.bgp-defined-sets"
    list_field = "neighbor-info-list" if is_neighbor else f"{kind}-list"
    for index, one in numbered(written):
        path = f"{base}.{kind}-sets[{index}]"
        name, members = wire.at(one, f"{kind}-set-name"), wire.at(one, list_field)
        if not name:
            findings.missing(f"{path}.{kind}-set-name", "write a name")
        if not members:
            findings.fatal(f"{path}.{list_field}", None, _NEVER, "write a member, or remove the set")
        check_all(members, f"{path}.{list_field}", _CHECKS[kind], findings)
        yield DefinedSet(kind=kind, name=name or "", members=tuple(members or ()))


def _check_names(sets: Iterable[DefinedSet], findings: Findings) -> None:
    seen: set[tuple[DefinedKind, str]] = set()
    for one in sets:
        if one.name and (one.kind, one.name) in seen:
            findings.fatal("defined-sets", one.name, f"is the name of two {one.kind} sets", "rename one")
        seen.add((one.kind, one.name))


def check_all(members: tuple[str, ...] | None, path: str, check: Check, findings: Findings) -> None:
    """Write down each member that the check complains of."""
    for index, text in numbered(members):
        if problem := check(text):
            findings.fatal(f"{path}[{index}]", text, problem, "correct it, see GoBGP's policy.md")


def check_neighbor(text: str) -> str:
    """An IP address, or a prefix of them."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return "is neither an address nor a prefix"
    return ""


def check_address(text: str) -> str:
    """An IP address."""
    try:
        ip_address(text)
    except ValueError:
        return "is not an IP address"
    return ""


def check_expression(text: str) -> str:
    """A regular expression as Go has them, of which only what Python has too can be judged here."""
    if "(?=" in text or "(?!" in text or "(?<" in text:
        return "looks ahead or behind, which GoBGP's regular expressions cannot"
    # Classes such as \pN are Go's alone.
    if "\\" in text:
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return "is no regular expression"
    return "" if text else "is empty"


def check_ext_expression(text: str) -> str:
    """An extended community or an expression for one, after its subtype."""
    subtype, colon, rest = text.partition(":")
    if not colon or subtype.lower() not in _EXT_SUBTYPES:
        return f"does not begin with one of {', '.join(f'{one}:' for one in _EXT_SUBTYPES)}"
    return check_expression(rest)


def check_community(text: str) -> str:
    """One community to be set; GoBGP also takes it as one decimal number."""
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < 2**32:
        return ""
    return _not_a_community(text, large=False)


def check_large_community(text: str) -> str:
    """One large community to be set."""
    return _not_a_community(text, large=True)


def check_ext_community(text: str) -> str:
    """One extended community to be set, or a validation state (RFC 8097)."""
    if text.lower() in _VALIDATION_STATES:
        return ""
    return check_ext_expression(text)


def _not_a_community(text: str, *, large: bool) -> str:
    try:
        found = community(text)
    except ValueError as error:
        return str(error)
    if isinstance(found, int) is large:
        return f"is not a {'large' if large else 'plain'} community"
    return ""


_CHECKS: Mapping[DefinedKind, Check] = {
    DefinedKind.NEIGHBOR: check_neighbor,
    DefinedKind.AS_PATH: check_expression,
    DefinedKind.COMMUNITY: check_expression,
    DefinedKind.EXT_COMMUNITY: check_ext_expression,
    DefinedKind.LARGE_COMMUNITY: check_expression,
}
