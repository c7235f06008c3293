"""Fixtures for tests against real daemons: a LAN, a gobgpd of each version in its node, FRR in its router."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from openelb_bgp.bgp.gobgp.client import Client
from tests.daemons.harness.confs import ROUTER_ASN
from tests.daemons.harness.frr import Frr, bgp_config
from tests.daemons.harness.gobgp import VERSIONS, Gobgpd
from tests.daemons.harness.house import House, built
from tests.daemons.harness.netns import Lan, Namespace, make_lan, sweep

StartRouter = Callable[..., Awaitable[Frr]]


@pytest.fixture(scope="session", autouse=True)
def _swept() -> None:
    sweep()


@pytest.fixture(params=VERSIONS)
def gobgp_version(request: pytest.FixtureRequest) -> str:
    """Both versions that are supported and tested, one after the other."""
    return str(request.param)


@pytest.fixture
def new_lan() -> Iterator[Callable[..., Lan]]:
    """Makes LANs (see `make_lan`), removed after the test with all that runs in them."""
    made: list[Lan] = []

    def make(*, routers: int = 1, nodes: int = 1) -> Lan:
        made.append(make_lan(routers=routers, nodes=nodes))
        return made[-1]

    yield make
    for lan in made:
        lan.remove()


@pytest.fixture
def lan(new_lan: Callable[..., Lan]) -> Lan:
    """One router and one node."""
    return new_lan()


@pytest.fixture
async def gobgpd(gobgp_version: str, lan: Lan, tmp_path: Path) -> AsyncIterator[Gobgpd]:
    """A gobgpd of each version in the LAN's node, not started yet."""
    daemon = Gobgpd(gobgp_version, lan.nodes[0], tmp_path)
    yield daemon
    daemon.daemon.end()


@pytest.fixture
async def client(gobgpd: Gobgpd) -> AsyncIterator[Client]:
    """A client of that gobgpd, started just now, before StartBgp."""
    async with await gobgpd.start() as client:
        yield client


@pytest.fixture
async def start_router(tmp_path: Path) -> AsyncIterator[StartRouter]:
    """Starts an FRR in a namespace: `await start_router(space, neighbors={address: asn})`."""
    async with AsyncExitStack() as stack:

        async def start(
            space: Namespace,
            *,
            neighbors: dict[str, int],
            asn: int = ROUTER_ASN,
            extra: tuple[str, ...] = (),
        ) -> Frr:
            frr = Frr(space, bgp_config(space, asn=asn, neighbors=neighbors, extra=extra), tmp_path)
            stack.callback(frr.stop)
            await frr.start()
            return frr

        yield start


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One node that announces one Service to one router, shared by the tests of a module."""
    made, tear_down = built(tmp_path_factory.mktemp("house"))
    yield made
    tear_down()
