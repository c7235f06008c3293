"""The tour of layer2: ARP and NDP on a plain switched LAN, and what goes wrong there."""

import time
from collections import Counter
from collections.abc import Collection, Mapping

from lab.faults import partitioned
from lab.lab import Lab
from lab.steps.lan import holders, moves
from lab.steps.lan.crowd import Crowd, addresses_of, assemble
from lab.steps.lan.failover import STAY, Strike, busiest, cost, expect_failover, fail_over, told
from lab.steps.lan.look import LAYER2, Holders, await_one_each, believed
from lab.steps.lan.strikes import paused, speaker_killed, unplugged
from lab.steps.lan.watch import Watch
from lab.steps.step import Finding, Step, await_value, expect
from lab.traffic import TIMEOUT

CROWD = Crowd(LAYER2, like="shop", count=50)
"""A hundred addresses, each with a pod on every node."""
GRATUITOUS = 30.0
"""Seconds between two announcements that nobody asked for, by default: two that believe to have an address
have settled it on the wire by then."""
_FIRST = ("shop", "web", "web-local")
"""The Services that are there from the start."""
_OWNER = 3
"""The column of `openelb-bgp layer2` that names the owner."""
_OF_ALL = 200.0
"""Requests per second of each client to all of the crowd."""
_FEWEST = 10
"""Of 100 addresses over 4 nodes: 25 are expected."""
_SIDES = {"client": ("node1", "node2"), "client2": ("node3", "node4")}
"""What is left of the LAN for each client when the trunk is cut."""


def who_holds_what(lab: Lab) -> Finding:
    """The addresses of three Services in both families."""
    return holders.who_has_what(lab, LAYER2, _FIRST)


def the_command_shows_it(lab: Lab) -> Finding:
    """`openelb-bgp layer2` names the node that answers for each address, and who would come next."""
    held = await_one_each(lab, LAYER2, addresses_of(lab, *_FIRST))
    text = lab.look("layer2")
    rows = {line.split()[0]: line.split() for line in text.splitlines()}
    seen = {address: rows[address][_OWNER] for address in held if address in rows}
    expect(seen == held, expected=f"the owners {held}", seen=seen)
    return Finding(
        f"{len(held)} addresses: their owners, since when and on which interface, and all candidates.",
        (),
        (),
        text=text.rstrip(),
    )


def addresses_spread(lab: Lab) -> Finding:
    """A hundred addresses of fifty dual-stack Services."""
    return holders.spread(lab, CROWD, fewest=_FEWEST)


def speaker_killed_loses_nothing(lab: Lab) -> Finding:
    """A speaker dies: its addresses are answered by others, and its kernel forwards what still comes."""
    return _struck(lab, speaker_killed, loses=False)


def link_cut(lab: Lab) -> Finding:
    """The cable of a node is pulled."""
    return _struck(lab, unplugged)


def node_paused(lab: Lab) -> Finding:
    """A node stands still, and believes for a moment that it has what others have by now."""
    return _struck(lab, paused)


def network_partitioned(lab: Lab) -> Finding:
    """The trunk between the switches is cut and mended: each side serves by itself, then one node again."""
    held = assemble(lab, CROWD)
    with Watch(lab, tuple(held), rate=_OF_ALL) as watch:
        cut = time.monotonic()
        with partitioned(lab):
            sides = _await_sides(lab, held)
            settled = time.monotonic()
            time.sleep(STAY)
        healed = time.monotonic()
        after = await_one_each(lab, LAYER2, held)
        time.sleep(STAY)
        both = watch.two_answered(healed)
    tally = watch.tally()
    outside = [one for one in tally.lost if not cut - TIMEOUT <= one.sent <= settled + TIMEOUT]
    expect(
        not outside,
        expected=f"requests lost only until each side served, {settled - cut:.2f} s after the cut",
        seen=[(round(one.sent - cut, 2), one.address, one.error) for one in outside],
    )
    expect(both <= GRATUITOUS, expected=f"two answer for at most {GRATUITOUS:g} s", seen=f"{both:.2f} s")
    seen = (Counter(held.values()), *map(_counted, sides.values()), Counter(after.values()))
    return Finding(
        f"Each side served all addresses {settled - cut:.1f} s after the cut; when it was mended, two nodes "
        f"answered for one for {both:.1f} s. {len(tally.lost)} of {tally.sent} requests were lost, at first.",
        ("addresses of", "before", *(f"{client} sends to" for client in sides), "afterwards"),
        [(node, *(counts[node] for counts in seen)) for node in lab.nodes],
        tally,
    )


def ipv6_does_the_same(lab: Lab) -> Finding:
    """The IPv6 addresses alone: neighbour solicitations through switches that snoop on MLD."""
    held = {address: node for address, node in assemble(lab, CROWD).items() if ":" in address}
    found = fail_over(lab, held, busiest(held), unplugged)
    expect_failover(found, both=GRATUITOUS)
    return told(
        found,
        f"{len(held)} IPv6 addresses; {found.victim}'s moved within {found.last:.2f} s; {cost(found)}.",
    )


def local_policy_follows_a_pod(lab: Lab) -> Finding:
    """The addresses of a Local Service stay where it has ready pods."""
    return moves.local_policy_follows_a_pod(lab, LAYER2, "web-local")


def drained_node_loses_nothing(lab: Lab) -> Finding:
    """A node that is drained hands its addresses over."""
    return moves.drained_node_loses_nothing(lab, CROWD)


def _struck(lab: Lab, strike: Strike, *, loses: bool = True) -> Finding:
    held = assemble(lab, CROWD)
    found = fail_over(lab, held, busiest(held), strike)
    expect_failover(found, both=GRATUITOUS, loses=loses)
    return told(
        found,
        f"{len(found.taken)} addresses moved within {found.last:.2f} s; {cost(found)}. "
        f"Once back, {found.victim} answered {found.stale} times for what was another's.",
    )


def _await_sides(lab: Lab, addresses: Collection[str]) -> Mapping[str, Holders]:
    """Wait until each client sends to nodes of its own side only."""

    def tables() -> Mapping[str, Holders]:
        return {client: believed(lab, client, addresses) for client in _SIDES}

    return await_value(
        tables,
        lambda seen: all(
            set(nodes) <= set(_SIDES[client]) and nodes
            for client, table in seen.items()
            for nodes in table.values()
        ),
        expected=f"the clients send to nodes of their own sides, {_SIDES}",
    )


def _counted(holders: Holders) -> Counter[str]:
    return Counter(node for nodes in holders.values() for node in nodes)


LAYER2_TOUR: tuple[Step, ...] = (
    Step(
        "Who holds what",
        "Three dual-stack Services: asked by ARP and NDP, and looked up at the clients.",
        who_holds_what,
    ),
    Step(
        "openelb-bgp layer2 shows it",
        "Each address: its owner, since when, on which interface, who comes next.",
        the_command_shows_it,
    ),
    Step(
        "A hundred addresses spread",
        "Fifty dual-stack Services with pods on all nodes: who answers for each address?",
        addresses_spread,
    ),
    Step(
        "The network falls apart",
        "The trunk between the switches is cut under load, and mended.",
        network_partitioned,
    ),
    Step(
        "IPv6 does the same",
        "Switches that snoop on MLD, neighbour solicitations, a cable pulled.",
        ipv6_does_the_same,
    ),
    Step(
        "A speaker is killed",
        "kill -9 of a node's speaker under load; 2 s later it is started again.",
        speaker_killed_loses_nothing,
    ),
    Step(
        "A cable is pulled",
        "A node loses its link under load, and has it back 2 s later.",
        link_cut,
    ),
    Step(
        "A node is paused",
        "A node stands still as a suspended virtual machine, and goes on 2 s later.",
        node_paused,
    ),
    Step(
        "A Local Service follows its pods",
        "The pod of the node that has the address of `web-local` moves to node2.",
        local_policy_follows_a_pod,
    ),
    Step(
        "A node is drained",
        "A node is annotated openelb.kubesphere.io/drain under load.",
        drained_node_loses_nothing,
    ),
)
"""In the order of the demo."""
