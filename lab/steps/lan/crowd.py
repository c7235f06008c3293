"""A crowd of Services on the LAN: enough addresses to see how they spread, and to break many at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from lab.lab import Lab
from lab.steps.lan.look import Mode, await_first_each
from lab.steps.step import await_value


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many dual-stack Services, each as the one called `like`, all of one mode."""

    mode: Mode
    like: str
    count: int

    @property
    def names(self) -> tuple[str, ...]:
        """The Services' names."""
        return tuple(f"{self.like}-{number:02}" for number in range(1, self.count + 1))


def assemble(lab: Lab, crowd: Crowd) -> Mapping[str, str]:
    """The node that has each of the crowd's addresses, IPv4 first; the crowd is made if it is not there.

    Returns once each address is answered by one node, every node hands it on to a pod, and nothing of vip
    will move by itself.
    """
    missing = [name for name in crowd.names if f"default/{name}" not in lab.addresses()]
    if missing:
        lab.desk.add_services(missing, like=crowd.like)
    return await_first_each(lab, crowd.mode, addresses_of(lab, *crowd.names))


def addresses_of(lab: Lab, *services: str) -> tuple[str, ...]:
    """The addresses of Services in `default`, IPv4 first, once each has both and every node forwards them."""

    def given() -> Mapping[str, tuple[str, ...]]:
        known = lab.addresses()
        return {name: known.get(f"default/{name}", ()) for name in services}

    found = await_value(
        given,
        lambda ips: all(len(pair) == 2 for pair in ips.values()),
        expected=f"an address per family for {len(services)} Services",
    )
    addresses = tuple(sorted((ip for pair in found.values() for ip in pair), key=lambda ip: ":" in ip))
    await_value(
        lambda: [node for node in lab.nodes if not lab.forwards(node, addresses)],
        lambda missing: not missing,
        expected="kube-proxy's rules for them in every node; some are missing in",
    )
    return addresses
