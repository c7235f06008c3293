"""The tour of vip: addresses held by VRRP masters, on the LAN of layer2 and beside its pools."""

import time

from lab.lab import Lab
from lab.steps.lan import holders, moves
from lab.steps.lan.capture import captured
from lab.steps.lan.crowd import Crowd, addresses_of, assemble
from lab.steps.lan.failover import STAY, Strike, cost, expect_failover, fail_over, told
from lab.steps.lan.look import VIP, answering, await_one_each
from lab.steps.lan.strikes import keepalived_killed, powered_off, speaker_killed, unplugged
from lab.steps.lan.watch import Watch
from lab.steps.step import Finding, Step, await_value, expect_undisturbed

CROWD = Crowd(VIP, like="vip-shop", count=15)
"""Thirty addresses; their pod is on node4, which is never cut off."""
TWO_MASTERS = 1.0
"""Seconds within which two that believe to be master have heard of each other: a few adverts."""
_FEWEST = 2
"""Of 30 addresses over 4 nodes."""
_LATE = "vip-shop-late"


def masters_spread(lab: Lab) -> Finding:
    """Thirty addresses of fifteen dual-stack Services."""
    return holders.spread(lab, CROWD, fewest=_FEWEST)


def node_killed(lab: Lab) -> Finding:
    """The power of a node fails."""
    return _struck(lab, "node1", powered_off)


def link_cut(lab: Lab) -> Finding:
    """The cable of a node is pulled."""
    return _struck(lab, "node2", unplugged)


def keepalived_killed_moves_its_addresses(lab: Lab) -> Finding:
    """keepalived dies, parent and child, and leaves its addresses behind: others take them over."""
    return _struck(lab, "node3", keepalived_killed)


def speaker_killed_moves_nothing(lab: Lab) -> Finding:
    """A speaker dies and comes back: its keepalived goes on, and masters stay."""
    held = assemble(lab, CROWD)
    with Watch(lab, tuple(held)) as watch:
        started = time.monotonic()
        with speaker_killed(lab, "node4"):
            time.sleep(STAY)
        time.sleep(STAY)
        seen = watch.answered(started, not_by=())
        elsewhere = {address: one.node for address, one in seen.items() if one.node != held[address]}
    expect_undisturbed(watch.tally())
    after = assemble(lab, CROWD)
    mine = sum(node == "node4" for node in held.values())
    return Finding(
        f"Of {watch.tally().sent} requests none was lost, and {len(elsewhere)} addresses moved.",
        ("node4", "speaker", "addresses"),
        [
            ("before", "alive", mine),
            ("meanwhile", "dead", mine - sum(held[address] == "node4" for address in elsewhere)),
            ("afterwards", "alive", sum(node == "node4" for node in after.values())),
        ],
        watch.tally(),
    )


def a_service_more_and_one_less(lab: Lab) -> Finding:
    """A Service is added and removed while requests run on all others."""
    held = assemble(lab, CROWD)
    rows: list[tuple[object, ...]] = []
    try:
        with Watch(lab, tuple(held)) as watch:
            started = time.monotonic()
            lab.desk.add_services([_LATE], like=CROWD.like)
            late = await_one_each(lab, VIP, addresses_of(lab, _LATE))
            rows.append((f"{_LATE} is added", f"{time.monotonic() - started:.1f} s", *late.values()))
            time.sleep(STAY)
            started = time.monotonic()
            lab.desk.remove_services([_LATE])
            _await_nobody(lab, tuple(late))
            rows.append((f"{_LATE} is removed", f"{time.monotonic() - started:.1f} s", "nobody", "nobody"))
            time.sleep(STAY)
    finally:
        lab.desk.remove_services([_LATE])
    expect_undisturbed(watch.tally())
    return Finding(
        f"Of {watch.tally().sent} requests to the other {len(held)} addresses none was lost or sent twice.",
        ("what happens", "took", *late),
        rows,
        watch.tally(),
    )


def drained_node_loses_nothing(lab: Lab) -> Finding:
    """A node that is drained hands its addresses over."""
    return moves.drained_node_loses_nothing(lab, CROWD)


def local_policy_follows_a_pod(lab: Lab) -> Finding:
    """The addresses of a Local Service pass to the virtual router of the nodes that have pods now."""
    return moves.local_policy_follows_a_pod(lab, VIP, "vip-local")


def ipv6_does_the_same(lab: Lab) -> Finding:
    """The IPv6 addresses alone, held by IPv6 instances of VRRPv3."""
    held = {address: node for address, node in assemble(lab, CROWD).items() if ":" in address}
    found = fail_over(lab, held, "node3", unplugged)
    expect_failover(found, both=TWO_MASTERS)
    return told(found, f"{len(held)} IPv6 addresses; node3's moved within {found.last:.2f} s; {cost(found)}.")


def router_sees_a_clean_takeover(lab: Lab) -> Finding:
    """What a router captures while a master hands over to another."""
    held = assemble(lab, CROWD)
    node = next(node for address, node in held.items() if ":" not in address)
    with captured(lab) as capture:
        await_value(capture.adverts, bool, expected="adverts at the gateway")
        moves.drained_node_loses_nothing(lab, CROWD, node)
        time.sleep(1.0)
        adverts = capture.adverts()
    vrid = next(one.vrid for one in adverts if one.node == node)
    mine = [one for one in adverts if one.vrid == vrid]
    change = next(at for at, one in enumerate(mine) if one.node != node)
    shown = mine[max(0, change - 3) : change + 3]
    heir = mine[-1].node
    gap = next(one.at for one in mine[change:] if one.node == heir) - mine[change - 1].at
    return Finding(
        f"Virtual router {vrid}: {heir} followed {node} after {1000 * gap:.0f} ms.",
        ("time", "from", "virtual router", "priority"),
        [(f"{one.at - mine[change].at:+.3f} s", one.node, one.vrid, one.priority) for one in shown],
    )


def _struck(lab: Lab, victim: str, strike: Strike, *, loses: bool = True) -> Finding:
    found = fail_over(lab, assemble(lab, CROWD), victim, strike)
    expect_failover(found, both=TWO_MASTERS, loses=loses)
    return told(
        found,
        f"{len(found.taken)} addresses moved within {found.last:.2f} s; {cost(found)}.",
    )


def _await_nobody(lab: Lab, addresses: tuple[str, ...]) -> None:
    await_value(
        lambda: answering(lab, addresses),
        lambda seen: not any(seen.values()),
        expected=f"nobody answers for {addresses} any more",
    )


VIP_TOUR: tuple[Step, ...] = (
    Step(
        "Masters spread",
        "Fifteen dual-stack Services, sixteen virtual routers: who is master of which?",
        masters_spread,
    ),
    Step(
        "A Service more, and one less",
        "Added and removed while requests run on all others.",
        a_service_more_and_one_less,
    ),
    Step(
        "A speaker is killed",
        "kill -9 of node4's speaker under load; 2 s later it is started again.",
        speaker_killed_moves_nothing,
    ),
    Step(
        "keepalived is killed",
        "kill -9 of node3's keepalived, parent and children, under load.",
        keepalived_killed_moves_its_addresses,
    ),
    Step(
        "A node is killed",
        "node1 loses its power under load, and boots again 2 s later.",
        node_killed,
    ),
    Step(
        "A cable is pulled",
        "node2 loses its link under load, and has it back 2 s later.",
        link_cut,
    ),
    Step(
        "IPv6 does the same",
        "IPv6 instances of VRRPv3: node3's cable is pulled.",
        ipv6_does_the_same,
    ),
    Step(
        "A Local Service follows its pods",
        "The pod of the node that has the address of `vip-local` moves to node2.",
        local_policy_follows_a_pod,
    ),
    Step(
        "A node is drained",
        "A node is annotated openelb.kubesphere.io/drain under load.",
        drained_node_loses_nothing,
    ),
    Step(
        "A router sees a clean takeover",
        "tcpdump at the gateway while a master is drained.",
        router_sees_a_clean_takeover,
    ),
)
"""In the order of the demo."""
