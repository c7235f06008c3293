"""Which BgpPeers this node speaks to, and why not to the others.

Pure. Chosen by nodeSelector, found by discovery, with their passwords; a session's own settings are merged in
`sessions`. What a session then does is observed elsewhere.
"""

from collections.abc import Iterable, Mapping

import msgspec

from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import EMPTY, Key, Kind, ObjectRef
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.routing import LONGEST_PASSWORD, BgpConf, BgpPeer
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import Problem

from .discovery import GatewayMemory, Neighbours, neighbours
from .model import Password, PeerConf
from .sessions import session


class PeerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """This node's sessions by neighbour address; `left_out` says of a BgpPeer why it is not spoken to.

    `complete` False: something that decides about a peer has not been seen yet.
    """

    peers: Mapping[str, PeerConf] = EMPTY
    left_out: Mapping[ObjectRef, Refused] = EMPTY
    problems: tuple[Problem, ...] = ()
    gateways: GatewayMemory = EMPTY
    deadline: float | None = None
    complete: bool = True


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What of this node decides about its peers."""

    labels: Mapping[str, str]
    addresses: frozenset[str]
    asn: int


def plan_peers(
    snapshot: Snapshot,
    facts: Facts,
    conf: BgpConf,
    node: Node,
    *,
    namespace: str,
    previous: Mapping[str, PeerConf] = EMPTY,
    gateways: GatewayMemory = EMPTY,
) -> PeerPlan:
    """All sessions of this node. `previous`: the last ones, whose passwords stay when a Secret goes."""
    draft = _Draft(snapshot, facts, conf, node, namespace=namespace, previous=previous)
    for name in sorted(snapshot.bgp_peers):
        draft.take(snapshot.bgp_peers[name], gateways)
    return draft.finish()


class _Draft:
    """Collects peers by name, so that of two with one address the first wins."""

    def __init__(
        self,
        snapshot: Snapshot,
        facts: Facts,
        conf: BgpConf,
        node: Node,
        *,
        namespace: str,
        previous: Mapping[str, PeerConf],
    ) -> None:
        self._snapshot, self._facts, self._conf, self._node = snapshot, facts, conf, node
        self._namespace = namespace
        self._previous = previous
        self._peers: dict[str, PeerConf] = {}
        self._left_out: dict[ObjectRef, Refused] = {}
        self._problems: list[Problem] = []
        self._gateways: dict[tuple[str, str], float | None] = {}
        self._deadline: float | None = None
        self._complete = True

    def take(self, peer: BgpPeer, gateways: GatewayMemory) -> None:
        """Decide about one BgpPeer."""
        refused = self._refusal(peer)
        if refused is not None:
            self._leave_out(peer, refused)
            return
        found = neighbours(peer, self._facts.gateways, now=self._facts.now, memory=gateways)
        self._gateways |= found.memory
        self._deadline = soonest(self._deadline, found.deadline)
        if not found.carried:
            self._miss_gateway(peer)
        for address in sorted(found.carried):
            self._add(peer, address, found)

    def finish(self) -> PeerPlan:
        """What was collected."""
        return PeerPlan(
            peers=self._peers,
            left_out=self._left_out,
            problems=tuple(self._problems),
            gateways=self._gateways,
            deadline=self._deadline,
            complete=self._complete,
        )

    def _refusal(self, peer: BgpPeer) -> Refused | None:
        """Why the peer is none of this node's, whatever its address."""
        if peer.left_to_cni:
            return Refused(Reason.LEFT_TO_CNI, "its label hands it to the CNI; remove the label to use it")
        if peer.node_selector is not None and not peer.node_selector.matches(self._node.labels):
            return Refused(
                Reason.NODE_NOT_SELECTED,
                f"its nodeSelector does not choose node {self._facts.node}; label the node to change that",
            )
        if peer.vrf is not None:
            return Refused(Reason.UNSUPPORTED, "conf.vrf names a VRF that gobgpd does not have: remove it")
        local = peer.transport.local_address
        if local is not None and self._facts.links and str(local) not in self._node.addresses:
            return Refused(
                Reason.NO_INTERFACE,
                f"transport.localAddress {local} is no address of node {self._facts.node}; "
                "leave it out, or choose the node that has it by nodeSelector",
            )
        return None

    def _miss_gateway(self, peer: BgpPeer) -> None:
        if not self._facts.links:
            # The host has not been read yet; what runs must not be taken away for that.
            self._complete = False
        self._leave_out(
            peer,
            Refused(
                Reason.NO_GATEWAY,
                f"node {self._facts.node} has no default route of the families in afiSafis by an interface "
                "of the network; add one, or write conf.neighborAddress",
            ),
        )

    def _refusal_of_address(self, address: str) -> Refused | None:
        """Why nobody is spoken to at that address, or not once more."""
        if address in self._node.addresses:
            return Refused(
                Reason.PEER_IS_SELF,
                f"{address} is an address of node {self._facts.node} itself; write the router's address",
            )
        if (first := self._peers.get(address)) is not None:
            return Refused(
                Reason.DUPLICATE_PEER,
                f"{address} is BgpPeer {first.name}'s already, which comes first by name; remove one",
            )
        return None

    def _add(self, peer: BgpPeer, address: str, found: Neighbours) -> None:
        taken = self._refusal_of_address(address)
        if taken is not None:
            self._leave_out(peer, taken)
            return
        password, refused = self._password(peer, address)
        if refused is not None:
            self._note(peer, refused)
            if password is None:
                self._left_out[peer.ref] = refused
                return
        made = session(
            peer,
            self._conf,
            address=address,
            families=found.carried[address],
            asn=self._node.asn,
            password=password,
            facts=self._facts,
        )
        self._peers[address] = made.conf
        for remark in made.remarks:
            self._note(peer, remark)

    def _password(self, peer: BgpPeer, address: str) -> tuple[Password | None, Refused | None]:
        """The password, and what is wrong with it. Wrong without one: never a session without it."""
        wanted = peer.auth_password_ref
        if wanted is None:
            return (Password(peer.auth_password) if peer.auth_password else None), None
        if not self._snapshot.has_listed(Kind.SECRET):
            self._complete = False
        secret = self._snapshot.secrets.get(Key(self._namespace, wanted.name))
        text = _text_of(None if secret is None else secret.data.get(wanted.key))
        if text is not None:
            return Password(text), None
        last = self._previous.get(address)
        kept = last.auth_password if last is not None and last.name == peer.name else None
        what = "the last password stays in use" if kept else "the peer is not added without its password"
        return kept, Refused(
            Reason.SECRET_MISSING,
            f"Secret {self._namespace}/{wanted.name} has no usable key {wanted.key!r} "
            f"(1 to {LONGEST_PASSWORD} bytes of text); {what}: create it",
        )

    def _leave_out(self, peer: BgpPeer, refused: Refused) -> None:
        self._left_out.setdefault(peer.ref, refused)
        if refused.reason not in _AS_ASKED:
            self._note(peer, refused)

    def _note(self, peer: BgpPeer, refused: Refused) -> None:
        self._problems.append(Problem.of(peer.ref, refused.reason, refused.message))


# Left out because the user says so: nothing that anybody has to repair.
_AS_ASKED = frozenset({Reason.LEFT_TO_CNI, Reason.NODE_NOT_SELECTED})


def _text_of(data: bytes | None) -> str | None:
    """A password as TCP MD5 can take it; a line end from `kubectl create --from-file` is no part of it."""
    if data is None:
        return None
    stripped = data.rstrip(b"\r\n")
    try:
        return stripped.decode() if 0 < len(stripped) <= LONGEST_PASSWORD else None
    except UnicodeDecodeError:
        return None


def own_addresses(addresses: Iterable[object], facts: Facts) -> frozenset[str]:
    """Every address that is this node's, as text: its Node's and those on its links.

    Those on links come with the link's zone too: every router may be fe80::1 on some link.
    """
    on_links = [(str(one.ip), link.name) for link in facts.links for one in link.addresses]
    texts = {str(one) for one in addresses}.union(text for text, _ in on_links)
    return frozenset(texts.union(f"{text}%{name}" for text, name in on_links))
