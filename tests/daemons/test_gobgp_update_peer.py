"""What UpdatePeer does to an established session, field by field: the table that the diff relies on.

Each edit is told to a gobgpd whose session with FRR is up; FRR counts the sessions it lost.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
import pytest

from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.model import (
    AddressFamily,
    Bfd,
    GracefulRestart,
    Password,
    PeerConf,
    PrefixLimit,
    RemovePrivate,
    Timers,
    Transport,
)
from tests.daemons.conftest import StartRouter
from tests.daemons.harness.confs import BOTH_FAMILIES, NODE_ASN, changed, peer, speaker
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.gobgp import NEW, OLD
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.waiting import stays, wait_until

V4, V6 = BOTH_FAMILIES
QUICK = Timers(connect_retry=1, hold_time=9, keepalive_interval=3, idle_hold_time_after_reset=1)
RESTART = GracefulRestart(enabled=True, restart_time=60, deferral_time=5)


def each_family(**fields: object) -> tuple[AddressFamily, ...]:
    return tuple(msgspec.structs.replace(family, **fields) for family in BOTH_FAMILIES)


STORED: dict[str, dict[str, object]] = {
    "nothing": {},
    "the object's name": {"name": "other"},
    "hold time": {"timers": msgspec.structs.replace(QUICK, hold_time=30, keepalive_interval=10)},
    "connect retry": {"timers": msgspec.structs.replace(QUICK, connect_retry=7)},
    "idle hold time": {"timers": msgspec.structs.replace(QUICK, idle_hold_time_after_reset=3)},
    "minimum advertisement interval": {
        "timers": msgspec.structs.replace(QUICK, minimum_advertisement_interval=1)
    },
    "prefix limits": {"afi_safis": each_family(prefix_limit=PrefixLimit(100, 80))},
    "long-lived graceful restart of a family": {"afi_safis": each_family(llgr_restart_time=300)},
    "restart bit": {"graceful_restart": msgspec.structs.replace(RESTART, local_restarting=True)},
    "send community": {"send_community": 1},
    "mtu discovery": {"transport": Transport(mtu_discovery=True)},
    "order of families": {"afi_safis": (V6, V4)},
}
RESET: dict[str, dict[str, object]] = {
    "description": {"description": "leaf 1"},
    "own ASN allowed": {"allow_own_asn": 1},
    "private ASNs removed": {"remove_private": RemovePrivate.ALL},
    "peer's ASN replaced": {"replace_peer_asn": True},
    "add-path": {"afi_safis": each_family(add_paths_send_max=8)},
    "a family less": {"afi_safis": (V4,)},
    "graceful restart of a family": {"afi_safis": each_family(mp_graceful_restart=False)},
    "restart time": {"graceful_restart": msgspec.structs.replace(RESTART, restart_time=90)},
    "no graceful restart": {"graceful_restart": None},
    "passive mode": {"transport": Transport(passive_mode=True)},
    "own address": {"transport": Transport(local_address="10.0.0.11")},
    "interface": {"transport": Transport(bind_interface="eth0")},
}

# Ignored in silence by 3.10: there the peer has to be deleted and added.
RESET_FROM_4_0: dict[str, dict[str, object]] = {
    "TTL security": {"ttl_security_min": 1},
    "multihop": {"ebgp_multihop_ttl": 5},
    "maximum segment size": {"transport": Transport(tcp_mss=1000)},
}


class Session(NamedTuple):
    """An established session, and how to tell whether it is the same one."""

    client: Client
    router: Frr
    node: str
    conf: PeerConf

    def resets(self) -> int:
        return self.router.resets(self.node)

    async def established(self) -> bool:
        (seen,) = await self.client.peers()
        return seen.established and self.router.established(self.node)

    async def up(self) -> None:
        await wait_until(self.established, within=40, what="the session")

    async def keeps(self, edited: PeerConf) -> bool:
        """Whether the session outlives this edit."""
        before = self.resets()
        await self.client.update_peer(edited)
        try:
            await stays(lambda: self.resets() == before, during=0.7, what="session")
        except AssertionError:
            return False
        return True


@pytest.fixture
async def session(client: Client, lan: Lan, start_router: StartRouter) -> AsyncIterator[Session]:
    node, leaf = lan.nodes[0], lan.routers[0]
    await client.start(speaker(node))
    router = await start_router(leaf, neighbors={node.v4: NODE_ASN})
    session = Session(client, router, node.v4, peer(leaf))
    await client.add_peer(session.conf)
    await session.up()
    yield session


async def effects(session: Session, edits: dict[str, dict[str, object]]) -> dict[str, bool]:
    """Whether the session was kept, for each edit of the first configuration."""
    kept: dict[str, bool] = {}
    for name, fields in edits.items():
        kept[name] = await session.keeps(changed(session.conf, **fields))
        if not kept[name]:
            await session.up()
        if not await session.keeps(session.conf):
            await session.up()
    return kept


@pytest.mark.timeout(300)
async def test_these_edits_are_stored_without_a_reset(session: Session) -> None:
    assert await effects(session, STORED) == dict.fromkeys(STORED, True)


@pytest.mark.timeout(300)
async def test_these_edits_reset_the_session(session: Session) -> None:
    assert await effects(session, RESET) == dict.fromkeys(RESET, False)


async def test_these_edits_are_ignored_by_3_10_and_reset_the_session_from_4_0(
    session: Session, gobgp_version: str
) -> None:
    assert await effects(session, RESET_FROM_4_0) == dict.fromkeys(RESET_FROM_4_0, gobgp_version == OLD)


async def test_a_new_password_resets_its_own_session_only_by_being_new(session: Session) -> None:
    guarded = changed(session.conf, auth_password=Password("sesame"))
    assert not await session.keeps(guarded)
    assert await session.keeps(guarded)
    session.router.configure("router bgp 65001", f"neighbor {session.node} password sesame")
    await session.up()


async def test_a_peer_that_is_switched_off_comes_back_switched_on(session: Session) -> None:
    assert not await session.keeps(changed(session.conf, admin_down=True))
    await stays(lambda: not session.router.established(session.node), during=2, what="switched off")
    await session.client.update_peer(session.conf)
    await session.up()


@pytest.mark.parametrize("gobgp_version", [NEW])
async def test_bfd_is_switched_on_and_off_without_a_reset(session: Session) -> None:
    assert await session.keeps(changed(session.conf, bfd=Bfd(detection_multiplier=3)))
    assert await session.keeps(session.conf)


async def test_only_some_edits_ask_for_a_soft_reset(session: Session) -> None:
    assert not await session.client.update_peer(changed(session.conf, timers=Timers(hold_time=30)))
    assert await session.client.update_peer(changed(session.conf, allow_own_asn=2))
