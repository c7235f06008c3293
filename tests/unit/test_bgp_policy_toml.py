"""GoBGP's policy TOML, read whole into the policy vocabulary, or refused with every defect by path."""

from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.bgp.policy_model import (
    Actions,
    AsPathPrepend,
    CommunityAction,
    CommunityMethod,
    Comparison,
    Conditions,
    DefinedKind,
    DefinedSet,
    Disposition,
    MatchOption,
    MatchSet,
    MedAction,
    NextHopKeyword,
    Operator,
    Origin,
    Policy,
    PrefixRange,
    RouteType,
    RpkiResult,
    Statement,
)
from openelb_bgp.bgp.policy_toml import ParsedPolicy, parse_policy
from openelb_bgp.model.reasons import Reason

SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "openelb-bgp" / "bgp.yaml"

EVERYTHING = """
[[defined-sets.prefix-sets]]
prefix-set-name = "ps"
[[defined-sets.prefix-sets.prefix-list]]
ip-prefix = "10.33.0.0/16"
masklength-range = "21..24"
[[defined-sets.prefix-sets.prefix-list]]
ip-prefix = "10.50.0.0/16"
[[defined-sets.neighbor-sets]]
neighbor-set-name = "ns"
neighbor-info-list = ["10.0.255.1", "10.0.0.0/24", "2001:db8::1"]
[[defined-sets.bgp-defined-sets.community-sets]]
community-set-name = "cs"
community-list = ["65100:10", "^6[0-9]+:.*$", "no-export"]
[[defined-sets.bgp-defined-sets.ext-community-sets]]
ext-community-set-name = "es"
ext-community-list = ["RT:65100:10", "soo:6[0-9]+:1"]
[[defined-sets.bgp-defined-sets.large-community-sets]]
large-community-set-name = "ls"
large-community-list = ["65100:100:100"]
[[defined-sets.bgp-defined-sets.as-path-sets]]
as-path-set-name = "as"
as-path-list = ["^65100_", "_65[0-9]+$"]

[[policy-definitions]]
name = "all"
[[policy-definitions.statements]]
name = "conditions"
[policy-definitions.statements.conditions.match-prefix-set]
prefix-set = "ps"
[policy-definitions.statements.conditions.match-neighbor-set]
neighbor-set = "ns"
match-set-options = "invert"
[policy-definitions.statements.conditions.bgp-conditions]
next-hop-in-list = ["10.0.0.1", "2001:db8::1"]
afi-safi-in-list = ["ipv4-unicast", "l2vpn-evpn"]
rpki-validation-result = "not-found"
route-type = "local"
origin-eq = "egp"
local-pref-eq = 100
med-eq = 5
[policy-definitions.statements.conditions.bgp-conditions.match-community-set]
community-set = "cs"
match-set-options = "all"
[policy-definitions.statements.conditions.bgp-conditions.match-ext-community-set]
ext-community-set = "es"
[policy-definitions.statements.conditions.bgp-conditions.match-large-community-set]
large-community-set = "ls"
[policy-definitions.statements.conditions.bgp-conditions.match-as-path-set]
as-path-set = "as"
[policy-definitions.statements.conditions.bgp-conditions.as-path-length]
operator = "ge"
value = 2
[policy-definitions.statements.conditions.bgp-conditions.community-count]
operator = "attribute-le"
value = 3
[policy-definitions.statements.actions]
route-disposition = "reject-route"
[[policy-definitions.statements]]
[policy-definitions.statements.actions]
route-disposition = "accept-route"
[policy-definitions.statements.actions.bgp-actions]
set-med = "-200"
set-local-pref = 110
set-next-hop = "self"
set-route-origin = "igp"
[policy-definitions.statements.actions.bgp-actions.set-as-path-prepend]
as = "65005"
repeat-n = 5
[policy-definitions.statements.actions.bgp-actions.set-community]
options = "ADD"
[policy-definitions.statements.actions.bgp-actions.set-community.set-community-method]
communities-list = ["65100:20", "blackhole", "6553800"]
[policy-definitions.statements.actions.bgp-actions.set-ext-community]
options = "remove"
[policy-definitions.statements.actions.bgp-actions.set-ext-community.set-ext-community-method]
communities-list = ["rt:65100:.*"]
[policy-definitions.statements.actions.bgp-actions.set-large-community]
options = "replace"

[[policy-definitions]]
name = "rest"
[[policy-definitions.statements]]
[policy-definitions.statements.actions.bgp-actions]
set-med = 7
set-next-hop = "192.0.2.1"
[policy-definitions.statements.actions.bgp-actions.set-as-path-prepend]
as = "last-as"
repeat-n = 1

[global.apply-policy.config]
import-policy-list = ["all"]
default-import-policy = "reject-route"
export-policy-list = ["rest", "all"]
default-export-policy = "accept-route"
"""


def _defects(text: str) -> list[str]:
    parsed = parse_policy(text)
    assert not isinstance(parsed, ParsedPolicy)
    assert all(defect.fatal and defect.reason is Reason.BAD_POLICY for defect in parsed)
    return [str(defect) for defect in parsed]


def _statement(body: str) -> str:
    return f'[[policy-definitions]]\nname = "p"\n[[policy-definitions.statements]]\nname = "s"\n{body}'


def _action(body: str) -> str:
    return _statement(f"[policy-definitions.statements.actions.bgp-actions]\n{body}")


def test_every_condition_and_every_action_is_read() -> None:
    assert parse_policy(EVERYTHING) == ParsedPolicy(
        sets=(
            DefinedSet(
                kind=DefinedKind.PREFIX,
                name="ps",
                prefixes=(
                    PrefixRange(ip_network("10.33.0.0/16"), 21, 24),
                    PrefixRange(ip_network("10.50.0.0/16"), 16, 16),
                ),
            ),
            DefinedSet(
                kind=DefinedKind.NEIGHBOR, name="ns", members=("10.0.255.1", "10.0.0.0/24", "2001:db8::1")
            ),
            DefinedSet(kind=DefinedKind.AS_PATH, name="as", members=("^65100_", "_65[0-9]+$")),
            DefinedSet(
                kind=DefinedKind.COMMUNITY, name="cs", members=("65100:10", "^6[0-9]+:.*$", "no-export")
            ),
            DefinedSet(kind=DefinedKind.EXT_COMMUNITY, name="es", members=("RT:65100:10", "soo:6[0-9]+:1")),
            DefinedSet(kind=DefinedKind.LARGE_COMMUNITY, name="ls", members=("65100:100:100",)),
        ),
        policies=(
            Policy(
                "all",
                (
                    Statement(
                        name="conditions",
                        conditions=Conditions(
                            prefix_set=MatchSet("ps"),
                            neighbor_set=MatchSet("ns", MatchOption.INVERT),
                            as_path_set=MatchSet("as"),
                            community_set=MatchSet("cs", MatchOption.ALL),
                            ext_community_set=MatchSet("es"),
                            large_community_set=MatchSet("ls"),
                            as_path_length=Comparison(Operator.GE, 2),
                            community_count=Comparison(Operator.LE, 3),
                            next_hop_in=("10.0.0.1", "2001:db8::1"),
                            afi_safi_in=((1, 1), (25, 70)),
                            rpki=RpkiResult.NOT_FOUND,
                            route_type=RouteType.LOCAL,
                            origin=Origin.EGP,
                            local_pref_eq=100,
                            med_eq=5,
                        ),
                        actions=Actions(disposition=Disposition.REJECT),
                    ),
                    Statement(
                        name="all_stmt1",
                        actions=Actions(
                            disposition=Disposition.ACCEPT,
                            community=CommunityAction(
                                CommunityMethod.ADD, ("65100:20", "blackhole", "6553800")
                            ),
                            ext_community=CommunityAction(CommunityMethod.REMOVE, ("rt:65100:.*",)),
                            large_community=CommunityAction(CommunityMethod.REPLACE),
                            med=MedAction(-200, relative=True),
                            as_path_prepend=AsPathPrepend(65005, 5),
                            next_hop=NextHopKeyword.SELF,
                            local_pref=110,
                            origin=Origin.IGP,
                        ),
                    ),
                ),
            ),
            Policy(
                "rest",
                (
                    Statement(
                        name="rest_stmt0",
                        actions=Actions(
                            med=MedAction(7), next_hop="192.0.2.1", as_path_prepend=AsPathPrepend(None, 1)
                        ),
                    ),
                ),
            ),
        ),
        imports=("all",),
        exports=("rest", "all"),
        default_import=Disposition.REJECT,
        default_export=Disposition.ACCEPT,
    )


def test_the_sample_policy_is_read() -> None:
    documents = yaml.safe_load_all(SAMPLE.read_text())
    text = next(one["data"]["gobgp.conf"] for one in documents if one["kind"] == "ConfigMap")
    parsed = parse_policy(text)
    assert isinstance(parsed, ParsedPolicy)
    assert (parsed.imports, parsed.exports) == ((), ("hide-internal",))


def test_an_empty_text_asks_for_nothing() -> None:
    assert parse_policy("") == ParsedPolicy()


def test_what_is_not_policy_is_left_out_with_a_warning() -> None:
    parsed = parse_policy(
        '[global.config]\nas = 1\n[[neighbors]]\n[neighbors.config]\nauth-password = "hunter2"'
    )
    assert isinstance(parsed, ParsedPolicy)
    assert [(one.path, one.fatal) for one in parsed.warnings] == [
        ("neighbors", False),
        ("global.config", False),
    ]
    assert "hunter2" not in repr(parsed)


def test_text_that_is_no_toml_is_refused_with_the_line() -> None:
    assert _defects("[[policy-definitions]]\nname = = 1") == [
        "gobgp.conf: is no TOML: Invalid value (at line 2, column 8); correct the text at that place"
    ]


@pytest.mark.parametrize(
    ("text", "defect"),
    [
        (
            _statement('[policy-definitions.statements.conditions.match-prefix-sets]\nprefix-set = "ps"'),
            "policy-definitions[0].statements[0].conditions.match-prefix-sets: is not a field of this kind; "
            "did you mean match-prefix-set?",
        ),
        (
            _statement('[policy-definitions.statements.conditions.match-prefix-set]\nprefix-set = "ps"'),
            "policy-definitions[0].statements[0].conditions.match-prefix-set.prefix-set 'ps': "
            "is no prefix set of this text; define it under defined-sets",
        ),
        (
            _statement('[policy-definitions.statements.actions]\nroute-disposition = "accept"'),
            "policy-definitions[0].statements[0].actions.route-disposition 'accept': is not known; "
            "write one of accept-route, none, reject-route",
        ),
        (
            _action('set-med = "a lot"'),
            "policy-definitions[0].statements[0].actions.bgp-actions.set-med 'a lot': is no MED; "
            'write "100" to set it, "+100" or "-100" to change it',
        ),
        (
            _action('set-next-hop = "me"'),
            "policy-definitions[0].statements[0].actions.bgp-actions.set-next-hop 'me': "
            "is not an IP address; write self, unchanged, peer-address or an IP address",
        ),
        (
            _action("[policy-definitions.statements.actions.bgp-actions.set-community]\noptions = 'append'"),
            "policy-definitions[0].statements[0].actions.bgp-actions.set-community.options 'append': "
            "is not known; write add, remove or replace",
        ),
        (
            _action(
                "set-community = {options = 'add', set-community-method = {communities-list = ['1:2:3']}}"
            ),
            "policy-definitions[0].statements[0].actions.bgp-actions.set-community.set-community-method."
            "communities-list[0] '1:2:3': is not a plain community; correct it, see GoBGP's policy.md",
        ),
        (
            _action("set-as-path-prepend = {as = '0', repeat-n = 1}"),
            "policy-definitions[0].statements[0].actions.bgp-actions.set-as-path-prepend.as '0': "
            'is no AS number; write one as text, or "last-as"',
        ),
        (
            "[[defined-sets.prefix-sets]]\nprefix-set-name = 'p'\n"
            "prefix-list = [{ip-prefix = '10.0.0.0/8', masklength-range = '24..8'}]",
            "defined-sets.prefix-sets[0].prefix-list[0].masklength-range '24..8': "
            "is no range of lengths up to 32; write two lengths such as 24..32, the lower one first",
        ),
        (
            "[[defined-sets.prefix-sets]]\nprefix-set-name = 'p'\n"
            "prefix-list = [{ip-prefix = '10.0.0.0/8'}, {ip-prefix = '2001:db8::/32'}]",
            "defined-sets.prefix-sets[0].prefix-list: mixes IPv4 and IPv6; "
            "make a set for each family; GoBGP refuses a mix",
        ),
        (
            "[[defined-sets.neighbor-sets]]\nneighbor-set-name = 'n'\nneighbor-info-list = []",
            "defined-sets.neighbor-sets[0].neighbor-info-list: is empty, and GoBGP lets an empty set match "
            "everything; write a member, or remove the set",
        ),
        (
            "[[defined-sets.bgp-defined-sets.as-path-sets]]\nas-path-set-name = 'a'\nas-path-list = ['^65(']",
            "defined-sets.bgp-defined-sets.as-path-sets[0].as-path-list[0] '^65(': "
            "is no regular expression; correct it, see GoBGP's policy.md",
        ),
        (
            "[global.apply-policy.config]\nexport-policy-list = ['missing']",
            "global.apply-policy.config.export-policy-list[0] 'missing': is no policy of this text; "
            "define it under policy-definitions",
        ),
        (
            _statement("")
            + '[[policy-definitions]]\nname = "q"\n[[policy-definitions.statements]]\nname = "s"',
            "policy-definitions 's': is the name of two statements, and GoBGP wants them unique in the whole "
            "text; rename one of them",
        ),
    ],
)
def test_each_defect_is_named_by_its_path(text: str, defect: str) -> None:
    assert _defects(text) == [defect]


def test_all_defects_are_named_at_once() -> None:
    assert len(_defects(_action('set-med = "x"\nset-next-hop = "y"\nset-local-pref = -1\nunknown = 1'))) == 4


@given(st.text() | st.text(alphabet="[]=\"'.\n-defin sets#0123456789{}"))
def test_any_text_is_answered(text: str) -> None:
    parse_policy(text)
