"""A Kubernetes cluster: objects and statuses by its API server, and a Lease that says who leads."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import msgspec

from openelb_bgp.host.netlink import HostState
from openelb_bgp.kube.access import Access, in_pod
from openelb_bgp.kube.catching_up import catch_up
from openelb_bgp.kube.client import Client, Timeouts
from openelb_bgp.kube.event_book import EventBook, Reporter
from openelb_bgp.kube.leadership import Leadership, LeaseTimes
from openelb_bgp.kube.lease import Election as Candidacy
from openelb_bgp.kube.reports import REPORTED, shown
from openelb_bgp.kube.scope import CONTROLLER, SPEAKER, with_speaker_pods
from openelb_bgp.kube.source import KubeSource
from openelb_bgp.kube.status import KubeSink, kube_sink
from openelb_bgp.kube.stored import stored_statuses
from openelb_bgp.kube.takeover import tell_of_leftovers
from openelb_bgp.lib.tasks import supervised
from openelb_bgp.model.meta import Kind, ObjectRef
from openelb_bgp.model.statuses import Status
from openelb_bgp.ports import Clock, Event, NotWritten, StatusWrite
from openelb_bgp.runtime.clock import BootClock
from openelb_bgp.runtime.store import Store
from openelb_bgp.settings import ClusterSettings, Webhook

from .origin import Origin, Post

_CONTROLLER = "openelb-controller"
_SPEAKER = "openelb-speaker"


@asynccontextmanager
async def opened_cluster(
    settings: ClusterSettings, *, node: str | None, webhook: Webhook | None, environment: Mapping[str, str]
) -> AsyncIterator[Origin]:
    """Open it; the API server need not be there. `node` None: this is a controller, asked at `webhook`.

    Raises kube.errors.NoAccess and runtime.health.PortTaken, whose text is for the user.
    """
    # A Lease runs out while this machine is suspended, too.
    clock = BootClock()
    access = await _access(settings, environment, clock)
    component = _CONTROLLER if node is None else _SPEAKER
    timeouts = Timeouts(request=settings.request_seconds)
    async with Client(access, clock, manager=component, timeouts=timeouts) as client:
        store = Store(in_cluster=True)
        scope = with_speaker_pods(CONTROLLER if node is None else SPEAKER, settings.namespace)
        book = EventBook(Reporter(component, settings.instance))
        if node is None:
            # A speaker has no use for certificates, nor memory for them.
            from .duties import Duties

            duties = Duties(client, clock, store, namespace=settings.namespace, webhook=webhook or Webhook())
            candidate = _Candidate(settings, client, clock, store, book, duties.lead)
            witnesses = {kind: partial(candidate.saw, kind) for kind in REPORTED}
            source = KubeSource(client, scope, clock, namespace=settings.namespace, witnesses=witnesses)
            async with duties.answering():
                yield Origin(
                    store,
                    source,
                    _Silent(),
                    clock,
                    candidate.lead,
                    _ignore,
                    in_cluster=True,
                    tasks=duties.tasks(),
                )
            return
        source = KubeSource(client, scope, clock, namespace=settings.namespace)
        async with kube_sink(client, clock, book, uid_of=store.uid) as sink:
            yield Origin(store, source, sink, clock, _never, _ignore, in_cluster=True)


class _Candidate:
    """A controller that leads whenever the Lease, or nobody else's, lets it."""

    def __init__(
        self,
        settings: ClusterSettings,
        client: Client,
        clock: Clock,
        store: Store,
        book: EventBook,
        duties: Callable[[Client], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._store = store
        self._book = book
        self._duties = duties
        self._sink: KubeSink | None = None

    def saw(self, kind: Kind, text: msgspec.Raw) -> None:
        """An object as it stands in the API: whoever leads sees to it that its report is ours."""
        if self._sink is not None:
            self._sink.saw(shown(kind, text))

    async def lead(self, work: Callable[[Post], Awaitable[None]]) -> None:
        """Do the work in each term. See `Lead`."""
        election = self._settings.election
        if election is None:
            await self._serve(self._client, work)
            return
        candidate = Candidacy(
            self._client,
            self._clock,
            namespace=self._settings.namespace,
            name=_CONTROLLER,
            # A restarted container keeps the pod's name, and is another candidate.
            identity=f"{self._settings.instance}_{uuid.uuid4()}",
            times=LeaseTimes(
                duration=election.duration,
                renew=election.retry_period,
                request=election.duration - election.renew_deadline,
            ),
        )

        async def term(leadership: Leadership) -> None:
            await self._clock.sleep(max(0.0, leadership.settled_at - self._clock.monotonic()))
            await self._serve(leadership.writer(self._client), work)

        await candidate.run(term)

    async def _serve(self, client: Client, work: Callable[[Post], Awaitable[None]]) -> None:
        async with kube_sink(client, self._clock, self._book, uid_of=self._store.uid) as sink:
            self._sink = sink
            try:
                await supervised(
                    {
                        "work": lambda: self._work(client, sink, work),
                        "duties": lambda: self._duties(client),
                        "takeover": lambda: self._take_over(client, sink),
                    }
                )
            finally:
                self._sink = None

    async def _work(self, client: Client, sink: KubeSink, work: Callable[[Post], Awaitable[None]]) -> None:
        await catch_up(client, lambda: self._store.snapshot.services, self._clock)
        await work(Post(sink, lambda: self._stored(client, sink)))

    async def _take_over(self, client: Client, sink: KubeSink) -> None:
        namespace = self._settings.namespace
        await tell_of_leftovers(
            client, lambda events: sink.write((), events), self._clock, namespace=namespace
        )

    async def _stored(self, client: Client, sink: KubeSink) -> Sequence[tuple[ObjectRef, Status]]:
        found = await stored_statuses(client)
        sink.recall(found)
        return found


class _Silent:
    """The `StatusSink` of a process that has nothing to say of itself."""

    async def write(self, writes: Sequence[StatusWrite], events: Sequence[Event] = ()) -> None:
        """Raises NotWritten."""
        raise NotWritten("a controller writes only while it leads")


async def _access(settings: ClusterSettings, environment: Mapping[str, str], clock: Clock) -> Access:
    if settings.kubeconfig is None:
        return in_pod(environment, clock)
    from openelb_bgp.kube.kubeconfig import by_kubeconfig

    return await by_kubeconfig(settings.kubeconfig, clock)


async def _never(work: Callable[[Post], Awaitable[None]]) -> None:
    """A speaker does not lead."""


def _ignore(host: HostState) -> None:
    """Nodes say themselves what they look like."""
