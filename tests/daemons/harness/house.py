"""A house in good order to put bad things into: one node that announces one Service to one router.

Starting it takes seconds, so a whole module of tests shares one. What must hold all the time is asked by
`unharmed`: our process lives, the good session was never reset, and the router's kernel has the route.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openelb_bgp.model.meta import Kind
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN, ROUTER_ASN
from tests.daemons.harness.frr import Frr, bgp_config
from tests.daemons.harness.manifests import Object, cluster
from tests.daemons.harness.netns import Lan, make_lan
from tests.daemons.harness.openelb import OpenElb
from tests.daemons.harness.waiting import wait_until

WEB = "198.51.100.1"


@dataclass(frozen=True)
class House:
    """`lan` has one node and two routers, of which the first is peered with; `ours` is `openelb-bgp run`."""

    lan: Lan
    router: Frr
    ours: OpenElb

    @property
    def folder(self) -> Path:
        """Where everything of it lies."""
        return self.ours.folder

    def unharmed(self) -> bool:
        """Whether what was good before is good still. Fails with what is not."""
        node = self.lan.nodes[0]
        assert self.ours.daemon.alive, self.ours.daemon.output()[-2000:]
        assert self.router.resets(node.v4) == 0, "the good session was reset"
        assert kernel.next_hops(self.router.namespace, WEB) == [node.v4], "the good Service lost its route"
        assert not self.ours.logged("cycle_failed"), self.ours.logged("cycle_failed")
        return True

    @contextmanager
    def with_file(self, name: str, *objects: Object | str) -> Iterator[None]:
        """The house while such a file lies in the folder; afterwards nothing of it may be left."""
        self.ours.write(name, *objects)
        try:
            yield
            assert self.unharmed()
        finally:
            self.ours.remove(name)

    async def complaint(
        self, kind: Kind, name: str, *words: str, reason: str = "", valid: bool = False
    ) -> str:
        """Return what an object's `Valid` says once it has these words (and that reason).

        `valid` True: the object is used all the same, but for what the message names.
        """

        def said() -> str | None:
            found = self.ours.condition(kind, name, "Valid")
            is_it = found.get("status") == str(valid) and reason in ("", found.get("reason"))
            return (
                str(found["message"]) if is_it and all(word in found["message"] for word in words) else None
            )

        try:
            return await wait_until(said, within=30, what=f"the complaint about {kind} {name}")
        except AssertionError as error:
            seen = self.ours.condition(kind, name, "Valid")
            raise AssertionError(f"{error}; its condition: {seen}") from None

    async def is_valid(self, kind: Kind, name: str) -> None:
        """Return when nothing is wrong with an object."""
        await wait_until(
            lambda: self.ours.condition(kind, name, "Valid").get("reason") == "Valid",
            within=30,
            what=f"{kind} {name} valid",
        )


async def problem(ours: OpenElb, subject: str, *words: str, reason: str = "", within: float = 30) -> str:
    """Return a problem of the node's Speaker with that object once it has these words in it."""

    def said() -> str | None:
        message = ours.problems(reason).get(subject, "")
        return message if message and all(word in message for word in words) else None

    try:
        return await wait_until(said, within=within, what=f"a problem of {subject}")
    except AssertionError as error:
        raise AssertionError(f"{error}; problems: {ours.problems()}") from None


def built(folder: Path, *arguments: str) -> tuple[House, Callable[[], None]]:
    """A house whose Service is announced, and what tears it down. Not to be called on an event loop.

    `arguments` are added to those of `run`.
    """
    lan = make_lan(routers=2)
    node, space = lan.nodes[0], lan.routers[0]
    router = Frr(space, bgp_config(space, asn=ROUTER_ASN, neighbors={node.v4: NODE_ASN}), folder)
    ours = OpenElb(node, folder, *arguments)
    house = House(lan, router, ours)

    def tear_down() -> None:
        ours.daemon.end()
        router.stop()
        lan.remove()

    try:
        asyncio.run(_settle(house))
    except BaseException:
        tear_down()
        raise
    return house, tear_down


async def _settle(house: House) -> None:
    await house.router.start()
    house.ours.write("good", *cluster(house.lan))
    house.ours.start()
    await house.ours.announced("shop/web")
    node, space = house.lan.nodes[0], house.router.namespace
    await wait_until(lambda: kernel.next_hops(space, WEB) == [node.v4], within=30, what="the route to web")
