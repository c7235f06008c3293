"""One kind, or a selection of it, kept in step with the API server: list, watch, resume, list again.

It holds no objects: a list replaces its kind whole in the store, so deletions that nobody saw heal there.
What goes wrong is tried again for ever, with back-off and jitter; nothing is ever taken back because the
server is away.
"""

import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import msgspec
import structlog

from openelb_bgp.decode import decode_change, decode_json
from openelb_bgp.lib.backoff import Backoff
from openelb_bgp.model.errors import Defect, InvalidResource
from openelb_bgp.model.meta import Key, Kind, ObjectRef
from openelb_bgp.model.snapshot import Resource as Object
from openelb_bgp.ports import Changed, Clock, Delivery, Gone, Listed, Spoilt

from .client import Client
from .errors import Expired, KubeError, NotFound, ServerError, TooManyRequests, VersionTooLarge, answered
from .metrics import EVENTS, HEARD_AT, LISTS, WATCHES
from .resources import RESOURCES
from .selection import Selection

log = structlog.get_logger(__name__)


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. A watch that lasted for `steady` was a good one: what ends it is a first failure.

    After an `outage` of that length the kind is listed again even where the watch could be resumed: the etcd
    that came back may be an older one that has meanwhile grown past what we saw.
    """

    backoff: Backoff = Backoff(first=0.2, most=10.0)
    steady: float = 5.0
    outage: float = 60.0


Witness = Callable[[msgspec.Raw], None]
"""Sees each object as the API server shows it, before it is decoded."""


def unwitnessed(text: msgspec.Raw) -> None:
    """The Witness of what nobody needs to see."""


class Reflector:
    """Deliveries of one kind. For one consumer."""

    def __init__(
        self,
        client: Client,
        kind: Kind,
        clock: Clock,
        *,
        selection: Selection,
        versioned: bool,
        tell: Callable[[KubeError | None], None],
        witness: Witness = unwitnessed,
        pace: Pace | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`versioned`: objects keep their resourceVersion. `tell` hears of failures, and None after."""
        self._client = client
        self._kind = kind
        self._clock = clock
        self._resource = RESOURCES[kind]
        self._selection = selection
        self._versioned = versioned
        self._tell = tell
        self._witness = witness
        self._pace = pace or Pace()
        self._jitter = jitter
        self._version: str | None = None
        self._doubtful = False
        self._failures = 0
        self._lost_at: float | None = None
        self._ended_by = "start"
        self._begun_at: float | None = None
        self._seen = ""
        self._told = ""
        self._failing = False

    async def deliveries(self) -> AsyncGenerator[Sequence[Delivery], None]:
        """Batches, for ever: the kind whole, then what changes. Raises nothing that the server may do."""
        while True:
            pause, self._begun_at = 0.0, None
            try:
                if await self._must_list():
                    yield [await self._list()]
                async with aclosing(self._watch()) as batches:
                    async for batch in batches:
                        yield batch
                self._note_end()
            except KubeError as error:
                self._note_error(self._in_words(error))
                pause = error.retry_after if isinstance(error, TooManyRequests) else 0.0
            if self._failures:
                delay = self._pace.backoff.delay(failures=self._failures, jitter=self._jitter())
                await self._clock.sleep(max(pause, delay))

    async def _must_list(self) -> bool:
        if self._version is None or self._is_long_lost():
            return True
        if not self._doubtful:
            return False
        # An API server keeps silent about a version that its etcd has not reached yet: after a restore of an
        # older etcd the watch would go on for ever, deaf.
        now = await self._current_version()
        went_back = not (now.isdecimal() and self._version.isdecimal() and int(now) >= int(self._version))
        if went_back:
            log.warning("versions_went_back", kind=self._kind, known=self._version, now=now)
        return went_back

    def _is_long_lost(self) -> bool:
        return self._lost_at is not None and self._clock.monotonic() - self._lost_at > self._pace.outage

    async def _current_version(self) -> str:
        async with aclosing(self._client.pages(self._resource, self._selection, page=1)) as pages:
            async for page in pages:
                return page.resource_version
        return ""

    async def _list(self) -> Listed:
        """The kind, whole."""
        try:
            listed, version = await self._collect()
        except Expired:
            # Pages that were fetched too slowly: all at once, then.
            listed, version = await self._collect(page=0)
        except msgspec.MsgspecError as error:
            raise ServerError(f"a list holds what is no object: {error}", code=502) from error
        self._version = version
        LISTS.labels(self._resource.plural).inc()
        self._note_heard()
        return listed

    async def _collect(self, **page: int) -> tuple[Listed, str]:
        resources: list[Object] = []
        invalid: list[InvalidResource] = []
        warnings: dict[ObjectRef, tuple[Defect, ...]] = {}
        version = ""
        async with aclosing(self._client.pages(self._resource, self._selection, **page)) as pages:
            async for one in pages:
                version = one.resource_version
                for item in one.items:
                    match self._read(item):
                        case Changed() as changed:
                            resources.append(changed.resource)
                            if changed.warnings:
                                warnings[_ref_of(changed.resource, self._kind)] = changed.warnings
                        case Spoilt() as spoilt:
                            invalid.append(spoilt.invalid)
        return Listed(self._kind, tuple(resources), tuple(invalid), warnings), version

    async def _watch(self) -> AsyncGenerator[Sequence[Delivery], None]:
        """Batches for as long as one watch lasts."""
        assert self._version is not None
        WATCHES.labels(self._resource.plural, self._ended_by).inc()
        watch = self._client.watch(self._resource, self._selection, resource_version=self._version)
        async with aclosing(watch) as chunks:
            async for lines in chunks:
                if self._begun_at is None:
                    self._begun_at = self._clock.monotonic()
                self._note_heard(told=bool(lines))
                batch: list[Delivery] = []
                error = self._take(lines, batch)
                if batch:
                    # What came before a line that cannot be used is as good as ever.
                    yield batch
                if error is not None:
                    raise error

    def _take(self, lines: Sequence[bytes], batch: list[Delivery]) -> KubeError | None:
        """Turn lines into deliveries, up to the first that cannot be used; what is wrong with it."""
        try:
            self._turn(lines, batch)
        except KubeError as error:
            return error
        except msgspec.MsgspecError as error:
            return ServerError(f"a watch sent what is no event: {error}", code=502)
        return None

    def _turn(self, lines: Sequence[bytes], batch: list[Delivery]) -> None:
        EVENTS.labels(self._resource.plural).inc(len(lines))
        for line in lines:
            if (changed := self._changed(line)) is not None:
                self._version = self._seen
                batch.append(changed)
                continue
            event = _EVENT.decode(line)
            if event.type in ("ADDED", "MODIFIED"):
                delivery = self._read(event.object)
                self._version = self._seen
                if delivery is not None:
                    batch.append(delivery)
            elif event.type == "ERROR":
                raise answered(0, event.object)
            else:
                meta = _NAMED.decode(event.object).metadata
                self._version = meta.resource_version or self._version
                if event.type == "DELETED":
                    batch.append(Gone(ObjectRef(self._kind, Key(meta.namespace, meta.name))))

    def _changed(self, line: bytes) -> Changed | None:
        """What nearly every line says, read in one go; None where it has to be read in parts."""
        if self._witness is not unwitnessed:
            return None
        decoded = decode_change(line, self._kind)
        if decoded is None or decoded.resource is None:
            return None
        return self._delivered(decoded.resource, decoded.warnings)

    def _delivered(self, resource: Object, warnings: tuple[Defect, ...]) -> Changed:
        self._seen = resource.meta.resource_version
        if not self._versioned:
            # Nobody else has it yet.
            msgspec.structs.force_setattr(resource.meta, "resource_version", "")
        return Changed(resource, warnings)

    def _read(self, text: msgspec.Raw) -> Changed | Spoilt | None:
        """What an object means, with its version noted in `_seen`."""
        self._witness(text)
        decoded = decode_json(text, self._kind)
        if decoded.resource is not None:
            return self._delivered(decoded.resource, decoded.warnings)
        self._seen = _NAMED.decode(text).metadata.resource_version
        return None if decoded.invalid is None else Spoilt(decoded.invalid)

    def _note_heard(self, *, told: bool = True) -> None:
        self._lost_at = None
        self._doubtful = False
        HEARD_AT.labels(self._resource.plural).set(self._clock.wall())
        if self._failing:
            self._failing = False
            self._tell(None)
        if self._told and told:
            log.info("kind_heard_again", kind=self._kind)
            self._told = ""

    def _lasted(self) -> float:
        """For how many seconds the watch has been on."""
        return 0.0 if self._begun_at is None else self._clock.monotonic() - self._begun_at

    def _note_end(self) -> None:
        """The server ended the watch: as asked, or as it goes down, or a proxy without patience did."""
        lasted = self._lasted()
        self._ended_by = "end"
        self._doubtful = lasted < self._client.timeouts.watch_least - 1.0
        self._failures = 0 if lasted >= self._pace.steady else self._failures + 1

    def _in_words(self, error: KubeError) -> KubeError:
        """A kind that is not served is most often one whose definition nobody has applied."""
        if not isinstance(error, NotFound):
            return error
        served = f"the API server does not serve {self._resource.plural} of {self._resource.api_version}"
        remedy = "apply our CustomResourceDefinitions (manifests/crds)"
        return NotFound(f"{served}; {remedy}", code=error.code)

    def _note_error(self, error: KubeError) -> None:
        self._ended_by = type(error).__name__
        self._failures = 1 if self._lasted() >= self._pace.steady else self._failures + 1
        self._doubtful = True
        if self._lost_at is None:
            self._lost_at = self._clock.monotonic()
        if isinstance(error, Expired | VersionTooLarge):
            self._version = None
        elif self._failures > 1 and str(error) != self._told:
            # The first is nothing: a watch is cut whenever an API server is replaced.
            log.warning("kind_not_heard", kind=self._kind, error=str(error))
            self._told = str(error)
        self._failing = True
        self._tell(error)


class _Event(msgspec.Struct):
    """meta/v1, WatchEvent."""

    type: str
    object: msgspec.Raw


class _Metadata(msgspec.Struct, frozen=True):
    name: str = ""
    namespace: str = ""
    resource_version: str = msgspec.field(default="", name="resourceVersion")


class _Named(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


_EVENT = msgspec.json.Decoder(_Event)
_NAMED = msgspec.json.Decoder(_Named)


def _ref_of(resource: Object, kind: Kind) -> ObjectRef:
    return ObjectRef(kind, resource.meta.key)
