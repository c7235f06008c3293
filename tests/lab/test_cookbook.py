"""The router cookbook (docs/routers), run as it stands there: the page's own text configures a real router.

One router in place of the lab's two leaves, three nodes with our speakers, the peers of the cookbook's first
page.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import kernel
from lab.frr import Router
from lab.lab import TOPOLOGIES, Lab, held_lab
from lab.manifests import Object, edit, find
from lab.namespaces import Namespace
from lab.steps.step import addresses, await_value, expect_undisturbed, started_at
from lab.traffic import under_load
from openelb_bgp.model.meta import Kind
from tests.lab.changes import RouteChanges
from tests.pages import marked

ROUTER = "leaf1"
_CLIENT = (
    "ip address add 10.20.1.10/24 dev eth1",
    "ip address add fd00:20:1::10/64 dev eth1 nodad",
    "ip route add default via 10.20.1.1",
    "ip -6 route add default via fd00:20:1::1",
)


def _rack(folder: Path, *, group: str) -> Path:
    """The ECMP lab with one router; `group` says whether the lab starts FRR in it, or nothing."""
    document: dict[str, Any] = yaml.safe_load((TOPOLOGIES / "ecmp.clab.yml").read_text())
    body = document["topology"]
    body["groups"]["other-router"] = {**body["groups"]["router"], "image": "bird", "binds": []}
    del body["nodes"]["leaf2"]
    body["nodes"][ROUTER]["group"] = group
    body["nodes"]["client"]["exec"] = list(_CLIENT)
    body["nodes"]["fabric"]["exec"].remove("ip link set eth2 master br0")
    body["links"] = [
        link for link in body["links"] if not any(end.startswith("leaf2:") for end in link["endpoints"])
    ]
    (folder / "ecmp").symlink_to(TOPOLOGIES / "ecmp")
    for binds in (body["nodes"][ROUTER]["binds"], body["groups"]["router"]["binds"]):
        binds[:] = [bind.replace("ecmp/leaf1/frr.conf", "frr.conf") for bind in binds]
    file = folder / "rack.clab.yml"
    file.write_text(yaml.safe_dump(document))
    return file


@contextmanager
def _held(file: Path) -> Iterator[Lab]:
    """A lab whose nodes speak to the cookbook's router; only that is not there yet, if it is no FRR."""
    with held_lab(file, name="cookbook") as lab:
        lab.copy_manifests()
        (lab.paths.manifests / "bgp.yaml").write_text(marked("routers/README.md")["file: bgp.yaml"])
        lab.start_daemons()
        yield lab


@contextmanager
def _frr(folder: Path, block: str) -> Iterator[Lab]:
    (folder / "frr.conf").write_text(marked("routers/frr.md")[block])
    with _held(_rack(folder, group="router")) as lab:
        yield lab


@contextmanager
def _bird(folder: Path, text: str) -> Iterator[Lab]:
    (folder / "bird.conf").write_text(text)
    with _held(_rack(folder, group="other-router")) as lab:
        words = ("bird", "-f", "-c", str(folder / "bird.conf"), "-s", str(lab.folder.path / "bird.ctl"))
        lab.processes.start("bird", lab.space(ROUTER).argv(*words))
        yield lab


def _with_bfd(peer: Object) -> None:
    peer["spec"] |= yaml.safe_load(marked("routers/README.md")["merge: BgpPeer"])["spec"]


def _ask_for_bfd(lab: Lab) -> None:
    for peer in find(lab.paths.manifests, "BgpPeer"):
        edit(lab.paths.manifests, "BgpPeer", peer, _with_bfd)


def _await_all_next_hops(lab: Lab) -> tuple[str, str]:
    """Wait until the router's kernel has one next hop a node for both addresses of `web`; those addresses."""
    both = addresses(lab, "web")
    for address in both:
        await_value(
            lambda address=address: _next_hops(lab, address),  # type: ignore[misc]
            lambda seen: seen == lab.nodes,
            expected=f"one next hop a node for {address}",
        )
    return both


def _next_hops(lab: Lab, address: str) -> tuple[str, ...]:
    legs = kernel.next_hops(lab.space(ROUTER), address)
    return tuple(sorted(lab.node_by_address.get(leg.via, leg.via) for leg in legs))


def _restart_speaker(lab: Lab) -> None:
    born, victim = started_at(lab, "node1"), lab.speaker("node1")
    victim.kill()
    assert victim.ended(within=30.0)
    lab.start_speaker("node1")
    await_value(lambda: started_at(lab, "node1"), lambda now: now != born, expected="the new one's report")


def _kill_gobgpd(lab: Lab) -> None:
    victim = lab.gobgpd("node1")
    victim.kill()
    await_value(
        lambda: lab.find_gobgpd("node1"), lambda now: now not in (None, victim), expected="another gobgpd"
    )
    await_value(
        lambda: _session_states(lab, "node1"),
        lambda states: states == {"tor-v4": "ESTABLISHED", "tor-v6": "ESTABLISHED"},
        expected="both sessions up again",
    )


def _session_states(lab: Lab, node: str) -> Mapping[str, str]:
    speakers = {one["metadata"]["name"]: one for one in lab.desk.objects(Kind.SPEAKER)}
    sessions = speakers.get(node, {}).get("status", {}).get("sessions", ())
    return {one["peer"]: one["peerState"]["sessionState"] for one in sessions}


def _expect_nothing_lost(lab: Lab, blow: Callable[[Lab], None]) -> None:
    spaces: Mapping[str, Namespace] = {ROUTER: lab.space(ROUTER)}
    v4, v6 = _await_all_next_hops(lab)
    with (
        under_load(lab.client, v4) as load,
        RouteChanges(lab, v4, spaces=spaces) as changes,
        RouteChanges(lab, v6, spaces=spaces) as changes6,
    ):
        blow(lab)
        # The router has had the time to do something about it.
        time.sleep(1.0)
    expect_undisturbed(load.tally())
    # BIRD now and then writes a route again as it was.
    whole = frozenset(lab.nodes)
    assert [change for change in changes.all + changes6.all if change.next_hops != whole] == []


@pytest.fixture(scope="module")
def frr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with _frr(tmp_path_factory.mktemp("frr"), "file: frr.conf") as lab:
        yield lab


@pytest.fixture(scope="module")
def bird(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with _bird(tmp_path_factory.mktemp("bird"), marked("routers/bird.md")["file: bird.conf"]) as lab:
        yield lab


@pytest.mark.parametrize("router", ["frr", "bird"])
def test_the_pages_router_has_one_next_hop_a_node_in_both_families(
    router: str, request: pytest.FixtureRequest
) -> None:
    _await_all_next_hops(request.getfixturevalue(router))


@pytest.mark.parametrize("blow", [_restart_speaker, _kill_gobgpd])
@pytest.mark.parametrize("router", ["frr", "bird"])
def test_neither_speaker_nor_gobgpd_takes_a_route_from_the_pages_router(
    router: str, blow: Callable[[Lab], None], request: pytest.FixtureRequest
) -> None:
    _expect_nothing_lost(request.getfixturevalue(router), blow)


@pytest.mark.parametrize("command", marked("routers/frr.md")["look: vtysh"].splitlines())
def test_frr_knows_the_commands_to_look_with(frr: Lab, command: str) -> None:
    _await_all_next_hops(frr)
    said = frr.routers[ROUTER].vtysh(command)
    assert not any(error in said for error in ("% Unknown", "% Ambiguous", "% Command"))


@pytest.mark.parametrize("command", marked("routers/bird.md")["look: birdc"].splitlines())
def test_bird_knows_the_commands_to_look_with(bird: Lab, command: str) -> None:
    _await_all_next_hops(bird)
    said = _bird_says(bird, command)
    assert not any(error in said for error in ("syntax error", "not found", "Network not"))


def test_the_pages_frr_finds_a_dead_node_by_bfd(tmp_path: Path) -> None:
    with _frr(tmp_path, "file: frr-bfd.conf") as lab:
        _ask_for_bfd(lab)
        router: Router = lab.routers[ROUTER]
        await_value(
            lambda: sorted(peer["status"] for peer in router.show("show bfd peers")),
            lambda states: states == ["up"] * 6,
            expected="BFD is up with each node, twice",
        )
        _await_all_next_hops(lab)


def test_the_pages_bird_speaks_bfd_with_each_node_once_it_is_switched_on(tmp_path: Path) -> None:
    text = marked("routers/bird.md")["file: bird.conf"]
    switched_on = text.replace("graceful restart aware;", "graceful restart aware;\n    bfd on;")
    with _bird(tmp_path, switched_on) as lab:
        _ask_for_bfd(lab)
        await_value(
            lambda: _bird_says(lab, "show bfd sessions").count(" Up "),
            lambda up: up == 6,
            expected="BFD is up with each node, twice",
        )
        _await_all_next_hops(lab)


def _bird_says(lab: Lab, command: str) -> str:
    return lab.space(ROUTER).run("birdc", "-s", str(lab.folder.path / "bird.ctl"), command)
