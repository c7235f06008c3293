"""All paths of one node, made anew only where something changed.

Pure, with a memory: a RouteBook keeps what each Service contributed, so that one endpoint's change at 10,000
Services costs one Service's work. It equals the book that is made from nothing on the same input, save for
weights that were changed too recently. What one Service contributes is decided in `claims`, what a prefix
becomes in `resolve`.
"""

from collections.abc import Mapping
from typing import NamedTuple

from openelb_bgp.lib.identity import changed_keys
from openelb_bgp.lib.tables import Draft, Table
from openelb_bgp.model.addresses import Family, Network
from openelb_bgp.model.meta import EMPTY, Key, Kind, ObjectRef, ref
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.model.statuses import Problem

from .claims import Claimer, RouteTerms, Share, Unit
from .ledger import Ledger, Turn
from .model import PathAttrs, PathKey
from .resolve import Bundle, Entry, Resolution, Terms, only_one, resolve
from .variants import Variant
from .weights import Weights

Services = Mapping[Key, Service]
Slices = Mapping[Key, tuple[EndpointSlice, ...]]
Held = Mapping[Key, Refused]
"""Of a Service that this node itself must not announce yet: why."""
Claims = tuple[Family, tuple[Bundle, ...]]

_FAMILY = {family.value: family for family in Family}


class _Drafts(NamedTuple):
    """What a book is made of, Service by Service."""

    units: Draft[Key, Unit]
    left_out: Draft[ObjectRef, Refused]

    @classmethod
    def of(cls, book: "RouteBook | None") -> "_Drafts":
        """Those of the book that comes after this one."""
        if book is None:
            return cls(Table[Key, Unit]().draft(), Table[ObjectRef, Refused]().draft())
        return cls(book._units.draft(), book.left_out.draft())


class RouteBook:
    """The paths, and everything that the next book can take over; make one with `make_book`.

    `paths` are the desired paths; `left_out` says why Services are not announced, or not wholly; `changed`
    are the keys whose path differs from the previous book's, None without one.
    """

    def __init__(
        self,
        terms: RouteTerms,
        services: Services,
        slices: Slices,
        *,
        held: Held,
        now: float,
        previous: "RouteBook | None",
    ) -> None:
        self.terms, self.services, self.slices, self.held = terms, services, slices, held
        same_terms = previous is not None and previous.terms == terms
        # Switched off, whatever waited to be changed must not wake anybody any more.
        settled = previous.weights if previous is not None and terms.weighted else None
        self.weights: Weights = Weights(now=now, previous=settled)
        self._drafts = _Drafts.of(previous)
        self._ledger: Ledger = Ledger(None if previous is None else previous._ledger)
        self._resolver: Resolver = _resolver(terms, None if previous is None else previous._resolver)
        self._claimer: Claimer = (
            previous._claimer.renew(self.weights)
            if previous is not None and same_terms
            else Claimer(terms, self.weights, previous=None if previous is None else previous._claimer)
        )
        for key in self._dirty(previous) if previous is not None and same_terms else self._all_keys():
            self._claim(key)
        self._units: Table[Key, Unit] = self._drafts.units.finish()
        self.left_out: Table[ObjectRef, Refused] = self._drafts.left_out.finish()
        del self._drafts
        self._turn(previous)

    @property
    def deadline(self) -> float | None:
        """When time alone changes the paths."""
        return self.weights.deadline

    @property
    def variants(self) -> list[Variant]:
        """The variants of all paths."""
        return [entry.variant for claims in self._used for entry in self._resolver.resolution(claims).entries]

    @property
    def most_paths(self) -> dict[Family, int]:
        """The largest number of paths that any prefix of a family has."""
        most = dict.fromkeys(Family, 0)
        for claims in self._used:
            family, count = claims[0], len(self._resolver.resolution(claims).entries)
            taken = min(count, 1) if family in self.terms.one_path else count
            most[family] = max(most[family], taken)
        return most

    def problems(self) -> list[Problem]:
        """What is wrong with the pools' advertisements, as far as it showed in paths."""
        conflicts = {one for claims in self._used for one in self._resolver.resolution(claims).conflicts}
        return [_conflict(pool, name) for pool, name in sorted(conflicts)]

    def owners(self) -> dict[Network, list[Key]]:
        """The Services that claim each prefix, in order."""
        found: dict[Network, list[Key]] = {}
        for key in sorted(self._units):
            for share in self._units[key].shares:
                found.setdefault(share.prefix, []).append(key)
        return found

    def entry(self, key: PathKey) -> Entry | None:
        """The node that is next hop of a path, and what each neighbour gets of it."""
        entries = self._resolver.entries(key.prefix, self._ledger.claims(key.prefix))
        return next((one for one in entries if one.identifier == key.identifier), None)

    def _all_keys(self) -> list[Key]:
        return [*self.services, *(key for key in self._drafts.units if key not in self.services)]

    def _dirty(self, last: "RouteBook") -> list[Key]:
        found = dict.fromkeys(changed_keys(old=last.services, new=self.services))
        found.update(dict.fromkeys(changed_keys(old=last.slices, new=self.slices)))
        found.update(dict.fromkeys(changed_keys(old=last.held, new=self.held)))
        found.update(dict.fromkeys(self.weights.overdue()))
        return list(found)

    def _claim(self, key: Key) -> None:
        """Make one Service's part anew, and enter only what differs."""
        units, left_out = self._drafts
        old = units.get(key)
        service = self.services.get(key)
        if service is None:
            self.weights.forget(key)
            if old is not None:
                del units[key]
                left_out.pop(old.service.ref)
                self._enter((), old.shares)
            return
        new = units[key] = self._claimer.unit(service, self.slices.get(key, ()), old, held=self.held.get(key))
        if new.refused is not None:
            left_out[service.ref] = new.refused
        elif old is not None and old.refused is not None:
            del left_out[service.ref]
        self._enter(new.shares, () if old is None else old.shares)

    def _enter(self, new: tuple[Share, ...], old: tuple[Share, ...]) -> None:
        if new == old:
            return
        for share in new:
            self._ledger.enter(share)
        for share in old:
            self._ledger.strike(share)

    def _turn(self, last: "RouteBook | None") -> None:
        """Make the paths of the prefixes whose claims changed, or of all if claims now mean another thing."""
        self.changed: frozenset[PathKey] | None = None
        turns = self._ledger.turns()
        if last is not None and last._resolver is self._resolver:
            paths = last.paths.draft()
            self._used: dict[Claims, int] = last._used.copy()
            touched = [key for turn in turns for key in self._replace(turn, paths)]
            self.paths: Table[PathKey, PathAttrs] = paths.finish()
            self.changed = frozenset(key for key in touched if self.paths.get(key) != last.paths.get(key))
            return
        # Only walked through, which ends the making of the ledger: every prefix is made anew.
        for _ in turns:
            pass
        self._used, every = {}, Table[PathKey, PathAttrs]().draft()
        for prefix, claims in self._ledger.all_claims():
            self._replace(Turn(prefix, (), claims), every)
        self.paths = every.finish()
        if last is not None:
            self.changed = _differing(self.paths, last.paths)

    def _replace(self, turn: Turn, paths: Draft[PathKey, PathAttrs]) -> list[PathKey]:
        """Replace a prefix's paths; returns the keys of the old and of the new ones."""
        prefix, family = turn.prefix, _FAMILY[turn.prefix.version]
        keys: list[PathKey] = []
        if turn.before:
            for entry in self._resolver.entries(prefix, turn.before):
                keys.append(key := PathKey(prefix, entry.identifier))
                del paths[key]
            left = self._used.pop((family, turn.before)) - 1
            if left:
                self._used[family, turn.before] = left
        if turn.after:
            self._used[family, turn.after] = self._used.get((family, turn.after), 0) + 1
            for entry in self._resolver.entries(prefix, turn.after):
                keys.append(key := PathKey(prefix, entry.identifier))
                paths[key] = entry.attrs
        return keys


class Resolver:
    """Remembers what claims became: 10,000 Services of one kind are resolved once."""

    def __init__(self, terms: RouteTerms) -> None:
        self._node = terms.node
        self._one_path = terms.one_path
        self._terms = {family: _terms_of(terms, family) for family in Family}
        self._known: dict[Claims, Resolution] = {}

    def resolves_like(self, other: "Resolver") -> bool:
        """Whether the same claims become the same paths."""
        return (self._node, self._one_path, self._terms) == (other._node, other._one_path, other._terms)

    def resolution(self, claims: Claims) -> Resolution:
        """What claims become, whatever the prefix."""
        known = self._known.get(claims)
        if known is None:
            known = self._known[claims] = resolve(claims[1], self._terms[claims[0]])
        return known

    def entries(self, prefix: Network, bundles: tuple[Bundle, ...]) -> tuple[Entry, ...]:
        """The paths of one prefix."""
        family = _FAMILY[prefix.version]
        entries = self.resolution((family, bundles)).entries
        if len(entries) > 1 and family in self._one_path:
            return only_one(entries, prefix, own=self._node)
        return entries


def make_book(
    terms: RouteTerms,
    services: Services,
    slices: Slices,
    *,
    held: Held = EMPTY,
    now: float,
    previous: RouteBook | None = None,
) -> RouteBook:
    """The book of these Services on these terms. `previous` saves work; what it says stays as it is."""
    return RouteBook(terms, services, slices, held=held, now=now, previous=previous)


def _resolver(terms: RouteTerms, last: Resolver | None) -> Resolver:
    """The last one, with what it knows, where the same claims still become the same paths."""
    fresh = Resolver(terms)
    return last if last is not None and last.resolves_like(fresh) else fresh


def _terms_of(terms: RouteTerms, family: Family) -> Terms:
    return Terms(
        family=family,
        hops=terms.hops[family],
        peers=terms.peers[family],
        pools=terms.pools,
        asn=terms.asn,
        pinned=terms.pinned,
    )


def _differing(now: Mapping[PathKey, PathAttrs], before: Mapping[PathKey, PathAttrs]) -> frozenset[PathKey]:
    found = {key for key, attrs in now.items() if before.get(key) != attrs}
    return frozenset(found.union(key for key in before if key not in now))


def _conflict(pool: str, name: str) -> Problem:
    return Problem.of(
        ref(Kind.EIP, pool),
        Reason.ATTRIBUTE_CONFLICT,
        f"two of its advertisements give one peer different values of {name} for the same prefix; "
        "the first counts: make them equal, or part them by peers or serviceSelector",
    )
