"""What a gobgpd shall run, by a plan and by what runs there already.

Pure, with a memory: a policy is spelt out once for as long as it stays the same, and the last complete plan
counts where the present one still waits for something. What gobgpd was found with stays while it is in doubt.
"""

from collections.abc import Iterable

from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason

from .diff import Configuration, silent
from .found import Found
from .gobgp.canonical import canonical
from .model import PathKey, PeerConf, RoutingPolicy
from .planned import BgpPlan


class Wanted:
    """Turns one plan after another into what is to be compared with what runs."""

    def __init__(self) -> None:
        self._spelt: tuple[RoutingPolicy, RoutingPolicy] | None = None
        self._last_complete: BgpPlan | None = None
        self._found = Found()
        self._had_conf = False

    @property
    def released(self) -> frozenset[PathKey]:
        """Paths that were kept because they were in doubt, and are no more, as of the last plan."""
        return self._found.released

    def configuration(self, plan: BgpPlan, actual: Configuration) -> Configuration | None:
        """What shall run; None: whatever runs now."""
        if plan.complete:
            self._last_complete = plan
        elif actual.global_conf is not None or self._last_complete is None:
            return None
        else:
            # A new gobgpd while the plan waits for something: what ran shall run again.
            plan = self._last_complete
        if plan.global_conf is None:
            # One that was seen and has gone is known to be gone.
            return None if plan.doubt.everything and not self._had_conf else silent(actual)
        self._had_conf = True
        unknown = _without_secret(plan, actual.peers.values())
        desired = Configuration(
            global_conf=plan.global_conf,
            routing=self._canonical(plan.routing),
            peers={**unknown, **plan.peers},
            paths=plan.paths,
        )
        return self._found.kept(desired, actual, plan.doubt)

    def _canonical(self, routing: RoutingPolicy) -> RoutingPolicy:
        if self._spelt is None or self._spelt[0] is not routing:
            self._spelt = routing, canonical(routing)
        return self._spelt[1]


def _without_secret(plan: BgpPlan, running: Iterable[PeerConf]) -> dict[str, PeerConf]:
    """Peers that run with a password which the plan does not know: they go on as they are.

    One that runs without any does not: where a password is asked for, there is no session without it.
    """
    return {
        peer.neighbor_address: peer
        for peer in running
        if peer.auth_password is not None
        and (refused := plan.left_out.get(ref(Kind.BGP_PEER, peer.name))) is not None
        and refused.reason is Reason.SECRET_MISSING
    }
