"""A gobgpd, asked and told in our own vocabulary, the same verbs for 3.x and 4.x.

Thin: each verb is one or a few calls. Order, adoption, retries and what an edit needs are decided by the
announcer. What must never be sent is refused here: calls that take an empty address or an empty path for
"all of them", a second StartBgp (it wipes the RIB), and addresses over which GoBGP 4.x panics.

Every verb raises SidecarUnavailable, SidecarHung or Rejected (see `errors`), and ValueError for an argument
that is no address.
"""

from collections.abc import AsyncIterator, Iterable
from enum import StrEnum
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Final, Self

from google.protobuf.message import Message

from openelb_bgp.bgp.gobgp import peers, policies, policies_read
from openelb_bgp.bgp.gobgp.canonical import canonical
from openelb_bgp.bgp.gobgp.channel import Channel, Unimplemented
from openelb_bgp.bgp.gobgp.errors import Rejected, UnknownApi
from openelb_bgp.bgp.gobgp.features import Features, Version, features
from openelb_bgp.bgp.gobgp.v3 import V3
from openelb_bgp.bgp.gobgp.v4 import V4
from openelb_bgp.bgp.gobgp.watch import PeerWatch
from openelb_bgp.bgp.gobgp.wire import Wire
from openelb_bgp.bgp.model import (
    DefinedKind,
    DefinedSet,
    Disposition,
    GlobalConf,
    ObservedGlobal,
    ObservedPath,
    ObservedPeer,
    Path,
    PathAttrs,
    PathKey,
    PeerConf,
    PeerEvent,
    PolicyAssignment,
    RoutingPolicy,
    TableCount,
)
from openelb_bgp.model.addresses import Family

# Above some hundred a batch nothing is gained, and one bad path costs its whole batch.
_BATCH: Final = 500
_LISTING_DEADLINE: Final = 60.0
_LIST_BATCH: Final = 1000


class ResetDirection(StrEnum):
    """Which way a soft reset goes: IN evaluates imports again, OUT exports."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


class Client:
    """One gobgpd. Made by `connect`; close it, or use it as an async context manager."""

    def __init__(self, channel: Channel, wire: Wire, version: Version | None = None) -> None:
        self._channel = channel
        self._wire = wire
        self.features: Features = features(wire.major, version)

    @classmethod
    async def connect(cls, target: str, *, version: Version | None = None, deadline: float = 5.0) -> Self:
        """Finds out which API is spoken at `target` (`unix:///path`, a path, or `host:port`).

        `version` is what `gobgpd --version` said, where somebody could ask. Raises UnknownApi too.
        """
        channel = Channel(target, deadline=deadline)
        try:
            return cls(channel, await _detect(channel), version)
        except BaseException:
            await channel.close()
            raise

    async def close(self) -> None:
        """Ends the connection and all calls under way."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # The speaker

    async def global_conf(self) -> ObservedGlobal | None:
        """What runs; None before StartBgp. Raises Stopped on 4.x after StopBgp."""
        answer = await self._call("GetBgp", self._wire.pb.GetBgpRequest())
        return peers.read_global(getattr(answer, "global"))

    async def start(self, conf: GlobalConf) -> None:
        """Starts the speaker. Raises Rejected where one runs: starting again would wipe its RIB."""
        running = await self.global_conf()
        if running is not None:
            raise Rejected("StartBgp", f"AS {running.asn} runs already")
        request = self._wire.pb.StartBgpRequest(**{"global": peers.global_message(self._wire.pb, conf)})
        await self._call("StartBgp", request)

    async def stop(self, *, allow_graceful_restart: bool) -> None:
        """Ends all sessions and empties the RIB. On 4.x the process is of no use afterwards."""
        await self._call("StopBgp", self._wire.stop_message(allow_graceful_restart=allow_graceful_restart))

    # Peers

    async def peers(self) -> tuple[ObservedPeer, ...]:
        """All peers by address, never with a password."""
        answers = self._list("ListPeer", self._wire.pb.ListPeerRequest())
        found = [self._wire.read_peer(answer.peer) async for answer in answers]
        return tuple(sorted(found, key=lambda peer: peer.neighbor_address))

    async def add_peer(self, peer: PeerConf) -> None:
        """Adds a peer; gobgpd dials at once. Raises Unsupported."""
        message = self._wire.peer_message(peer, self.features)
        await self._call("AddPeer", self._wire.pb.AddPeerRequest(peer=message))

    async def update_peer(self, peer: PeerConf) -> bool:
        """Edits the peer of that address; whether it needs a soft reset IN afterwards. Raises Unsupported.

        Which fields reset the session, and which are ignored, differs by version: see the daemon tests.
        """
        message = self._wire.peer_message(peer, self.features)
        answer = await self._call("UpdatePeer", self._wire.pb.UpdatePeerRequest(peer=message))
        return bool(answer.needs_soft_reset_in)

    async def delete_peer(self, address: str, *, interface: str = "") -> None:
        """Deletes the peer of that address, or the unnumbered one of that interface."""
        if not interface:
            _single(address)
        request = self._wire.pb.DeletePeerRequest(address=address, interface=interface)
        await self._call("DeletePeer", request)

    async def reset_peer(self, address: str, *, soft: bool, direction: ResetDirection) -> None:
        """Soft: evaluates policies again, the session stays. Hard: ends the session, whatever direction."""
        pb = self._wire.pb
        number = pb.ResetPeerRequest.Direction.Value(policies.member("DIRECTION", direction))
        request = pb.ResetPeerRequest(address=_single(address), soft=soft, direction=number)
        await self._call("ResetPeer", request)

    async def shutdown_peer(self, address: str, *, communication: str = "") -> None:
        """Ends the session with an administrative shutdown (RFC 9003); the peer may dial again."""
        request = self._wire.pb.ShutdownPeerRequest(address=_single(address), communication=communication)
        await self._call("ShutdownPeer", request)

    async def disable_peer(self, address: str, *, communication: str = "") -> None:
        """Switches the peer off until `enable_peer`."""
        request = self._wire.pb.DisablePeerRequest(address=_single(address), communication=communication)
        await self._call("DisablePeer", request)

    async def enable_peer(self, address: str) -> None:
        """Switches the peer on."""
        await self._call("EnablePeer", self._wire.pb.EnablePeerRequest(address=_single(address)))

    def watch(self) -> PeerWatch:
        """The peers' events; see `watch.PeerWatch`."""
        return PeerWatch(self._peer_events(), target=self._channel.target)

    async def _peer_events(self) -> AsyncIterator[PeerEvent | None]:
        pb = self._wire.pb
        request = pb.WatchEventRequest(peer=pb.WatchEventRequest.Peer())
        service = self._wire.service
        async for answer in self._channel.listing(service, "WatchEvent", request, deadline=None):
            yield peers.read_peer_event(pb, answer)

    # Paths

    async def add_paths(self, paths: Iterable[Path]) -> None:
        """Adds or replaces paths in bulk, in their order.

        If it raises, batches of 500 that were taken before stay in force: read back, and go on from there.
        """
        await self._stream(list(paths), withdraw=False)

    async def withdraw_paths(self, keys: Iterable[PathKey]) -> None:
        """Withdraws paths in bulk; those that are not there are no error."""
        await self._stream([Path(key, PathAttrs()) for key in keys], withdraw=True)

    async def delete_path(self, key: PathKey) -> None:
        """Withdraws one path; one that is not there is no error."""
        await self._call("DeletePath", self._wire.delete_message(key))

    async def paths(self, family: Family, *, local_only: bool = True) -> list[ObservedPath]:
        """The global table of one family, in no order; `local_only` leaves learned paths out."""
        found = [path async for path in self._paths("TABLE_TYPE_GLOBAL", family)]
        return [path for path in found if path.local] if local_only else found

    async def advertised(self, address: str, family: Family) -> list[ObservedPath]:
        """What that peer is sent after policies. gobgpd computes it now; it is no record of what was sent."""
        return [path async for path in self._paths("TABLE_TYPE_ADJ_OUT", family, name=_single(address))]

    async def count(self, family: Family) -> TableCount:
        """The size of the global table, learned paths included; cheap."""
        pb = self._wire.pb
        request = pb.GetTableRequest(table_type=pb.TABLE_TYPE_GLOBAL, family=self._family(family))
        answer = await self._call("GetTable", request)
        return TableCount(destinations=answer.num_destination, paths=answer.num_path)

    async def _stream(self, paths: list[Path], *, withdraw: bool) -> None:
        for start in range(0, len(paths), _BATCH):
            batch = self._wire.stream_message(paths[start : start + _BATCH], withdraw=withdraw)
            await self._call("AddPathStream", batch)

    async def _paths(self, table: str, family: Family, *, name: str = "") -> AsyncIterator[ObservedPath]:
        pb = self._wire.pb
        request = pb.ListPathRequest(
            table_type=pb.TableType.Value(table),
            name=name,
            family=self._family(family),
            batch_size=_LIST_BATCH,
        )
        reader = self._wire.path_reader()
        async for answer in self._list("ListPath", request):
            for message in answer.destination.paths:
                path = reader.read(message)
                if path is not None:
                    yield path

    def _family(self, family: Family) -> Message:
        message: Message = self._wire.pb.Family(afi=peers.AFI[family], safi=peers.UNICAST)
        return message

    # Policies

    async def set_policies(self, routing: RoutingPolicy) -> None:
        """Makes sets, policies and global bindings equal to `routing`. Raises Unsupported.

        Sets and policies are swapped at once, bound policies of the same name included; a direction whose
        bound policy goes away rejects everything in between (gobgpd itself would accept everything then).
        Nothing that was advertised or accepted changes before a soft reset.
        """
        policies.check_supported(routing, self.features)
        pb = self._wire.pb
        kept = {policy.name for policy in routing.policies}
        for bound in await self._assignments():
            if not kept.issuperset(bound.policies):
                await self._bind(PolicyAssignment(direction=bound.direction, default=Disposition.REJECT))
        await self._call("SetPolicies", policies.policies_message(pb, routing))
        # SetPolicies carries assignments too, and ignores them (osrg/gobgp#3538).
        for wanted in canonical(routing).assignments:
            await self._bind(wanted)

    async def routing_policy(self) -> RoutingPolicy:
        """What runs, in the spelling of `canonical.canonical`: compare it with the same of what is wanted."""
        pb = self._wire.pb
        sets = [item for kind in DefinedKind for item in await self._defined_sets(kind)]
        answers = self._list("ListPolicy", pb.ListPolicyRequest())
        found = [policies_read.read_policy(pb, answer.policy) async for answer in answers]
        return canonical(
            RoutingPolicy(
                defined_sets=tuple(sets),
                policies=tuple(found),
                assignments=await self._assignments(),
            )
        )

    async def add_to_defined_set(self, item: DefinedSet) -> None:
        """Makes a set, or appends to the one of that name."""
        pb = self._wire.pb
        request = pb.AddDefinedSetRequest(defined_set=policies.defined_set_message(pb, item))
        await self._call("AddDefinedSet", request)

    async def remove_from_defined_set(self, item: DefinedSet) -> None:
        """Takes members out of the set of that name; it stays, even when it is empty."""
        pb = self._wire.pb
        request = pb.DeleteDefinedSetRequest(defined_set=policies.defined_set_message(pb, item))
        await self._call("DeleteDefinedSet", request)

    async def _defined_sets(self, kind: DefinedKind) -> list[DefinedSet]:
        pb = self._wire.pb
        number = pb.DefinedType.Value(policies.member("DEFINED_TYPE", kind))
        answers = self._list("ListDefinedSet", pb.ListDefinedSetRequest(defined_type=number))
        return [policies_read.read_defined_set(kind, answer.defined_set) async for answer in answers]

    async def _assignments(self) -> tuple[PolicyAssignment, ...]:
        pb = self._wire.pb
        request = pb.ListPolicyAssignmentRequest(name=policies.GLOBAL_RIB)
        answers = self._list("ListPolicyAssignment", request)
        found = [policies_read.read_assignment(pb, answer.assignment) async for answer in answers]
        return tuple(found)

    async def _bind(self, assignment: PolicyAssignment) -> None:
        pb = self._wire.pb
        message = policies.assignment_message(pb, assignment)
        await self._call("SetPolicyAssignment", pb.SetPolicyAssignmentRequest(assignment=message))

    async def _call(self, name: str, request: Message) -> Any:
        return await self._channel.call(self._wire.service, name, request)

    def _list(self, name: str, request: Message) -> AsyncIterator[Any]:
        return self._channel.listing(self._wire.service, name, request, deadline=_LISTING_DEADLINE)


async def _detect(channel: Channel) -> Wire:
    wires: tuple[Wire, ...] = (V4(), V3())
    for wire in wires:
        try:
            await channel.call(wire.service, "GetBgp", wire.pb.GetBgpRequest())
        except Unimplemented:
            continue
        except Rejected:
            # Understood and refused: 4.x does so after StopBgp.
            return wire
        return wire
    raise UnknownApi(channel.target)


def _single(address: str) -> str:
    # An empty address means every peer to gobgpd, and a bad one crashes 4.x.
    ip_address(address)
    return address
