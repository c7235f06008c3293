"""Secrets and ConfigMaps, of which only those are read that BgpPeers and BgpConfs name. Pure.

Here is which ones that are, and how what is heard of each becomes deliveries of the kind; who reads them is
`source`.
"""

from collections.abc import Mapping, Sequence

from openelb_bgp.model.errors import InvalidResource
from openelb_bgp.model.meta import Key, Kind, ObjectRef, ref
from openelb_bgp.model.routing import BgpConf, BgpPeer
from openelb_bgp.model.snapshot import Resource as Object
from openelb_bgp.ports import Changed, Delivery, Gone, Listed, Spoilt

_NAMED_BY: Mapping[Kind, Kind] = {Kind.BGP_PEER: Kind.SECRET, Kind.BGP_CONF: Kind.CONFIG_MAP}


class References:
    """Which objects are named, by everything that has been delivered so far."""

    def __init__(self) -> None:
        self._names: dict[ObjectRef, str] = {}
        self._listed: set[Kind] = set()

    def follow(self, batch: Sequence[Delivery]) -> None:
        """Take note of a batch. An object that became invalid goes on naming what it named."""
        for delivery in batch:
            if isinstance(delivery, Listed):
                self._list(delivery)
            elif isinstance(delivery, Changed):
                self._note(delivery.resource)
            elif isinstance(delivery, Gone):
                self._names.pop(delivery.ref, None)

    def wanted(self, kind: Kind) -> frozenset[str] | None:
        """The names of that kind; None while it is not known who names them."""
        namer = next(one for one, named in _NAMED_BY.items() if named is kind)
        if namer not in self._listed:
            return None
        return frozenset(name for ref, name in self._names.items() if ref.kind is namer)

    def _list(self, listed: Listed) -> None:
        if listed.kind not in _NAMED_BY:
            return
        self._listed.add(listed.kind)
        kept = {invalid.ref for invalid in listed.invalid}
        for one in [one for one in self._names if one.kind is listed.kind and one not in kept]:
            del self._names[one]
        for resource in listed.resources:
            self._note(resource)

    def _note(self, resource: Object) -> None:
        match resource:
            case BgpPeer():
                wanted = resource.auth_password_ref.name if resource.auth_password_ref else None
                self._set(ref(Kind.BGP_PEER, resource.meta.name), wanted)
            case BgpConf():
                self._set(ref(Kind.BGP_CONF, resource.meta.name), resource.policy)

    def _set(self, namer: ObjectRef, name: str | None) -> None:
        if name:
            self._names[namer] = name
        else:
            self._names.pop(namer, None)


class Named:
    """What is known of the named objects of one kind. The kind is listed once each has been looked for."""

    def __init__(self, kind: Kind, namespace: str) -> None:
        self._kind = kind
        self._namespace = namespace
        self._known: dict[str, Object | InvalidResource | None] = {}
        self._wanted: frozenset[str] | None = None
        self._listed = False

    @property
    def wanted(self) -> frozenset[str]:
        """The names that somebody has to look for."""
        return self._wanted or frozenset()

    @property
    def missing(self) -> frozenset[str]:
        """The names that have not been looked for yet."""
        return self.wanted - self._known.keys()

    def want(self, wanted: frozenset[str] | None) -> Sequence[Delivery]:
        """From now on these are named; what no longer is goes."""
        self._wanted = wanted
        dropped = sorted(name for name in self._known if name not in self.wanted)
        for name in dropped:
            del self._known[name]
        return [Gone(self._ref(name)) for name in dropped if self._listed] + self._complete()

    def heard(self, name: str, batch: Sequence[Delivery]) -> Sequence[Delivery]:
        """What was delivered of the one object of that name."""
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

    def unreadable(self, name: str) -> Sequence[Delivery]:
        """Nobody lets us read it: for whoever needs it that is as if it were not there."""
        if name in self._known:
            return []
        self._known[name] = None
        return self._told(name)

    def _told(self, name: str) -> list[Delivery]:
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

    def _ref(self, name: str) -> ObjectRef:
        return ObjectRef(self._kind, Key(self._namespace, name))
