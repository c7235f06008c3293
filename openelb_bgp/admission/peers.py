"""BgpPeers beside each other and beside nodes and Secrets: two with one address, one that is a node's own."""

from collections.abc import Iterable, Iterator

from openelb_bgp.lib.words import some
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import Key, Kind, ObjectRef
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.routing import LONGEST_PASSWORD, BgpPeer
from openelb_bgp.model.snapshot import Snapshot

Found = Iterator[tuple[ObjectRef, Defect]]

_ADDRESS = "spec.conf.neighborAddress"


def peer_defects(snapshot: Snapshot, *, namespace: str) -> Found:
    """Everything that is wrong with peers; those left to the CNI are none of ours."""
    peers = [snapshot.bgp_peers[name] for name in sorted(snapshot.bgp_peers)]
    ours = [peer for peer in peers if not peer.left_to_cni]
    yield from _duplicates(ours, snapshot)
    for peer in ours:
        yield from ((peer.ref, defect) for defect in _own_address(peer, snapshot))
        if snapshot.has_listed(Kind.SECRET):
            yield from ((peer.ref, defect) for defect in _password(peer, snapshot, namespace))


def _duplicates(peers: Iterable[BgpPeer], snapshot: Snapshot) -> Found:
    """Of two peers with one neighbour on one node the first by name is spoken to."""
    by_address: dict[str, list[BgpPeer]] = {}
    for peer in peers:
        address = peer.neighbor_address
        if address is None:
            continue
        for before in by_address.setdefault(address, []):
            shared = _shared_nodes(before, peer, snapshot)
            if shared is not None:
                yield peer.ref, _duplicate(peer, before, shared, whole=shared == _chosen(peer, snapshot))
                break
        by_address[address].append(peer)


def _shared_nodes(one: BgpPeer, other: BgpPeer, snapshot: Snapshot) -> list[str] | None:
    """The nodes that would speak to both; None if there is none.

    Equal selectors choose the same nodes whichever there are, so these clash before any node is known.
    """
    if one.node_selector == other.node_selector:
        return _chosen(other, snapshot)
    both = set(_chosen(one, snapshot))
    return [name for name in _chosen(other, snapshot) if name in both] or None


def _chosen(peer: BgpPeer, snapshot: Snapshot) -> list[str]:
    return sorted(node.name for node in snapshot.nodes.values() if _chooses(peer, node))


def _chooses(peer: BgpPeer, node: Node) -> bool:
    return peer.node_selector is None or peer.node_selector.matches(node.meta.labels)


def _duplicate(peer: BgpPeer, before: BgpPeer, nodes: list[str], *, whole: bool) -> Defect:
    where = "" if whole else f" on {some(nodes)}"
    return Defect(
        _ADDRESS,
        peer.neighbor_address or "",
        f"is the neighbour of BgpPeer {before.name} too, which comes first by name and is used{where}",
        "remove one of them, or choose different nodes by nodeSelector",
        Reason.DUPLICATE_PEER,
        fatal=whole,
    )


def _own_address(peer: BgpPeer, snapshot: Snapshot) -> Iterator[Defect]:
    chosen = [node for node in snapshot.nodes.values() if _chooses(peer, node)]
    for node in chosen:
        if any(str(address) == peer.neighbor_address for address in node.addresses):
            yield Defect(
                _ADDRESS,
                peer.neighbor_address or "",
                f"is an address of node {node.name} itself, which therefore does not speak to it",
                "write the router's address, or leave that node out by nodeSelector",
                Reason.PEER_IS_SELF,
                fatal=len(chosen) == 1,
            )


def _password(peer: BgpPeer, snapshot: Snapshot, namespace: str) -> Iterator[Defect]:
    wanted = peer.auth_password_ref
    if wanted is None:
        return
    path = "spec.conf.authPasswordSecretRef"
    secret = snapshot.secrets.get(Key(namespace, wanted.name))
    if secret is None:
        remedy = f"create it with the key {wanted.key}; until then the peer is not spoken to"
        problem = f"there is no Secret {namespace}/{wanted.name}"
        yield Defect(f"{path}.name", wanted.name, problem, remedy, Reason.SECRET_MISSING)
    elif not secret.data.get(wanted.key):
        problem = f"Secret {namespace}/{wanted.name} has no such key, or nothing in it"
        remedy = "add it; until then the peer is not spoken to"
        yield Defect(f"{path}.key", wanted.key, problem, remedy, Reason.SECRET_MISSING)
    elif len(secret.data[wanted.key]) > LONGEST_PASSWORD:
        problem = f"holds more than {LONGEST_PASSWORD} bytes, the most that TCP MD5 takes"
        yield Defect(f"{path}.key", wanted.key, problem, "agree on a shorter one with the neighbour")
