"""What the BGP announcer promises beyond `announcers`: sessions that outlive it, a gobgpd that does not."""

from typing import Protocol

import msgspec

from openelb_bgp.model.routing import SecretKeyRef
from openelb_bgp.model.statuses import RouteCounts
from tests.contract.announcers import OutlivingContract, Stage
from tests.contract.process import eventually
from tests.contract.world import conf, peer, prefixes, secret, with_, with_services, without_peer

STRANGER = "10.0.0.77"
OTHER = "10.0.0.99"


class BgpStage(Stage, Protocol):
    """A node with gobgpd and one router."""

    router: str

    async def sessions(self) -> int:
        """How often a session with the router came up."""
        ...

    async def peers(self) -> set[str]:
        """The addresses of gobgpd's peers."""
        ...

    async def add_peer_by_hand(self, address: str) -> None:
        """As an operator with gobgp's command line would."""
        ...

    async def delete_peer_by_hand(self, address: str) -> None:
        """As an operator with gobgp's command line would."""
        ...

    async def stop_bgp_by_hand(self) -> None:
        """What `gobgp global del all` does."""
        ...

    async def kill(self) -> None:
        """gobgpd by SIGKILL; its keeper starts another."""
        ...

    async def hang(self) -> None:
        """gobgpd answers no more."""
        ...

    async def lives(self) -> object:
        """Another value for every gobgpd that has run."""
        ...


class BgpContract(OutlivingContract):
    """What holds for the BGP announcer, whatever gobgpd is beside it."""

    async def peers_are(self, stage: BgpStage, wanted: set[str]) -> None:
        async def equal() -> bool:
            return await stage.peers() == wanted

        await eventually(equal, within=30, what=f"the peers {wanted}")

    async def test_a_new_speaker_adopts_and_resets_nothing(self, stage: BgpStage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
        before, life = await stage.activity(), await stage.lives()
        async with stage.process().running() as successor:
            await successor.settle(stage.cluster(range(5)))
            await eventually(
                lambda: [one.peer for one in successor.last.status.sessions], within=30, what="the session"
            )
        assert await stage.sessions() == 1
        assert (await stage.activity(), await stage.lives()) == (before, life)

    async def test_peers_that_a_hand_added_or_deleted_are_put_right(self, stage: BgpStage) -> None:
        async with stage.process(resync=1.0).running() as speaker:
            await speaker.settle(stage.cluster(range(2)))
            await self.outside(stage, range(2))
            await stage.add_peer_by_hand(STRANGER)
            await self.peers_are(stage, {stage.router})
            await stage.delete_peer_by_hand(stage.router)
            await self.peers_are(stage, {stage.router})
            await self.outside(stage, range(2))

    async def test_a_gobgpd_that_dies_is_set_up_anew(self, stage: BgpStage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
            life = await stage.lives()
            await stage.kill()
            await speaker.until(lambda: not speaker.last.settled)
            await speaker.until(lambda: speaker.last.settled)
            assert await stage.lives() != life
            assert speaker.last.status.routes == RouteCounts(desired=5, announced=5)
            await speaker.settle(with_services(speaker.snapshot, range(6)))
            await self.outside(stage, range(6))

    async def test_a_gobgpd_that_hangs_is_told_and_replaced(self, stage: BgpStage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
            life = await stage.lives()
            await stage.hang()
            await speaker.until(lambda: speaker.reasons.get("gobgpd") == "SidecarDown")
            assert [(one.ready, one.reason) for one in speaker.last.status.pools] == [(False, "SidecarDown")]
            await speaker.until(lambda: speaker.last.settled)
            assert await stage.lives() != life
            assert [one.ready for one in speaker.last.status.pools] == [True]
            await self.outside(stage, range(5))

    async def test_a_speaker_stopped_inside_gobgpd_is_set_up_anew(self, stage: BgpStage) -> None:
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
            before = await stage.sessions()

            async def again() -> bool:
                return await stage.sessions() > before

            await stage.stop_bgp_by_hand()
            await eventually(again, within=60, what="another session")
            await self.outside(stage, range(5))

    async def test_a_changed_global_part_takes_another_gobgpd_and_keeps_the_rest(
        self, stage: BgpStage
    ) -> None:
        async with stage.process().running() as speaker:
            snapshot = stage.cluster(range(5))
            await speaker.settle(snapshot)
            await self.outside(stage, range(5))
            life = await stage.lives()
            await speaker.settle(with_(snapshot, conf(listen_port=1790, policy="policy")))
            assert await stage.lives() != life
            assert await stage.announced() == prefixes(range(5))
            life = await stage.lives()
            await speaker.settle()
            assert await stage.lives() == life

    async def test_a_peer_whose_secret_is_missing_stays_as_it_is(self, stage: BgpStage) -> None:
        """Also for a speaker that has never known the password."""
        guarded = peer(OTHER, "guarded", auth_password_ref=SecretKeyRef("passwords", "guarded"))
        snapshot = with_(stage.cluster(range(2)), guarded)
        known = with_(snapshot, secret("passwords", guarded=b"sesame"))
        async with stage.process().running() as speaker:
            await speaker.settle(snapshot)
            await self.peers_are(stage, {stage.router})
            await speaker.settle(known)
            await self.peers_are(stage, {stage.router, OTHER})
            await self.outside(stage, range(2))
        before = await stage.activity()
        async with stage.process(resync=0.0).running() as successor:
            for seen in (snapshot, snapshot, known, known):
                await successor.settle(seen)
                await self.peers_are(stage, {stage.router, OTHER})
            assert await stage.activity() == before
            await successor.settle(without_peer(known, "guarded"))
            await self.peers_are(stage, {stage.router})

    async def test_without_a_bgp_conf_nothing_is_announced_and_nobody_spoken_to(
        self, stage: BgpStage
    ) -> None:
        async with stage.process().running() as speaker:
            snapshot = stage.cluster(range(5))
            await speaker.settle(snapshot)
            await self.outside(stage, range(5))
            await speaker.settle(msgspec.structs.replace(snapshot, bgp_confs={}))
            await self.outside(stage, ())
            await self.peers_are(stage, set())
            await speaker.settle(snapshot)
            await self.outside(stage, range(5))
