"""Secrets and ConfigMaps, of which only those are read that BgpPeers and BgpConfs name. Pure.

A pool that answers for its addresses itself names kube-proxy's ConfigMap, where that may be read, and one of
protocol layer2 the keys of speakers' heartbeats, where they are needed. Here is
which ones that are, and how what is heard of each becomes deliveries of the kind; who reads them is
`source`.
"""

from collections.abc import Mapping, Sequence

from openelb_bgp.model import keys
from openelb_bgp.model.errors import InvalidResource
from openelb_bgp.model.meta import Key, Kind, ObjectRef
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.routing import BgpConf, BgpPeer
from openelb_bgp.model.snapshot import Resource as Object
from openelb_bgp.ports import Changed, Delivery, Gone, Listed, Spoilt


class References:
    """Which objects are named, by everything that has been delivered so far.

    `namespace` is where a name alone is looked for; `kube_proxy` says whether its ConfigMap may be read,
    `heartbeats` whether the keys of those are needed.
    """

    def __init__(self, namespace: str, *, kube_proxy: bool = False, heartbeats: bool = False) -> None:
        self._namespace = namespace
        self._namers: Mapping[Kind, tuple[Kind, ...]] = {
            Kind.SECRET: (Kind.BGP_PEER, Kind.EIP) if heartbeats else (Kind.BGP_PEER,),
            Kind.CONFIG_MAP: (Kind.BGP_CONF, Kind.EIP) if kube_proxy else (Kind.BGP_CONF,),
        }
        # By who names it, and which kind that is which it names.
        self._names: dict[tuple[ObjectRef, Kind], Key] = {}
        self._listed: set[Kind] = set()

    def follow(self, batch: Sequence[Delivery]) -> None:
        """Take note of a batch. An object that became invalid goes on naming what it named."""
        for delivery in batch:
            if isinstance(delivery, Listed):
                self._list(delivery)
            elif isinstance(delivery, Changed):
                self._note(delivery.resource)
            elif isinstance(delivery, Gone):
                for kind in self._namers:
                    self._names.pop((delivery.ref, kind), None)

    def wanted(self, kind: Kind) -> frozenset[Key] | None:
        """The objects of that kind; None while it is not known who names them."""
        namers = self._namers[kind]
        if not self._listed.issuperset(namers):
            return None
        return frozenset(
            name for (ref, named), name in self._names.items() if named is kind and ref.kind in namers
        )

    def _list(self, listed: Listed) -> None:
        if not any(listed.kind in namers for namers in self._namers.values()):
            return
        self._listed.add(listed.kind)
        kept = {invalid.ref for invalid in listed.invalid}
        for one in [one for one in self._names if one[0].kind is listed.kind and one[0] not in kept]:
            del self._names[one]
        for resource in listed.resources:
            self._note(resource)

    def _note(self, resource: Object) -> None:
        match resource:
            case BgpPeer():
                secret = resource.auth_password_ref
                self._set(resource.ref, Kind.SECRET, Key(self._namespace, secret.name) if secret else None)
            case BgpConf(policy=policy):
                self._set(resource.ref, Kind.CONFIG_MAP, Key(self._namespace, policy) if policy else None)
            case Eip(protocol=protocol):
                is_bgp, is_layer2 = protocol is Protocol.BGP, protocol is Protocol.LAYER2
                heartbeat_keys = Key(self._namespace, keys.MEMBERSHIP_SECRET)
                self._set(resource.ref, Kind.CONFIG_MAP, None if is_bgp else keys.KUBE_PROXY_CONFIG)
                self._set(resource.ref, Kind.SECRET, heartbeat_keys if is_layer2 else None)

    def _set(self, namer: ObjectRef, kind: Kind, name: Key | None) -> None:
        if name is None:
            self._names.pop((namer, kind), None)
        else:
            self._names[namer, kind] = name


class Named:
    """What is known of the named objects of one kind. The kind is listed once each has been looked for."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._known: dict[Key, Object | InvalidResource | None] = {}
        self._wanted: frozenset[Key] | None = None
        self._listed = False

    @property
    def wanted(self) -> frozenset[Key]:
        """Those that somebody has to look for."""
        return self._wanted or frozenset()

    @property
    def missing(self) -> frozenset[Key]:
        """Those that have not been looked for yet."""
        return self.wanted - self._known.keys()

    def want(self, wanted: frozenset[Key] | None) -> Sequence[Delivery]:
        """From now on these are named; what no longer is goes."""
        self._wanted = wanted
        dropped = sorted(name for name in self._known if name not in self.wanted)
        for name in dropped:
            del self._known[name]
        return [Gone(self._ref(name)) for name in dropped if self._listed] + self._complete()

    def heard(self, name: Key, batch: Sequence[Delivery]) -> Sequence[Delivery]:
        """What was delivered of that one object."""
        for delivery in batch:
            match delivery:
                case Listed():
                    self._known[name] = next(iter((*delivery.resources, *delivery.invalid)), None)
                case Changed():
                    self._known[name] = delivery.resource
                case Spoilt():
                    self._known[name] = delivery.invalid
                case Gone():
                    self._known[name] = None
        return self._told(name)

    def unreadable(self, name: Key) -> Sequence[Delivery]:
        """Nobody lets us read it: for whoever needs it that is as if it were not there."""
        if name in self._known:
            return []
        self._known[name] = None
        return self._told(name)

    def _told(self, name: Key) -> list[Delivery]:
        if not self._listed:
            return self._complete()
        found = self._known[name]
        if found is None:
            return [Gone(self._ref(name))]
        return [Spoilt(found) if isinstance(found, InvalidResource) else Changed(found)]

    def _complete(self) -> list[Delivery]:
        if self._listed or self._wanted is None or self.missing:
            return []
        self._listed = True
        found = [one for _, one in sorted(self._known.items()) if one is not None]
        good = tuple(one for one in found if not isinstance(one, InvalidResource))
        bad = tuple(one for one in found if isinstance(one, InvalidResource))
        return [Listed(self._kind, good, bad)]

    def _ref(self, name: Key) -> ObjectRef:
        return ObjectRef(self._kind, name)
