"""What a controller does in a cluster beside allocating: answer the API server's questions, keep the
certificates for that and the keys of speakers' heartbeats, and say which Secrets speakers may read. All
replicas answer, the leader writes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openelb_bgp.kube.certs import names_of
from openelb_bgp.kube.client import Client
from openelb_bgp.kube.membership_secret import MembershipSecret
from openelb_bgp.kube.secrets_role import SecretsRole
from openelb_bgp.kube.trust import Trust
from openelb_bgp.kube.webhook import Webhook, judge_by
from openelb_bgp.lib.tasks import supervised
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.ports import Clock
from openelb_bgp.runtime.store import Store
from openelb_bgp.settings import Webhook as WebhookSettings

from .origin import Tasks

_SERVICE = "openelb-controller"


class Duties:
    """A controller's duties in a cluster."""

    def __init__(
        self, client: Client, clock: Clock, store: Store, *, namespace: str, webhook: WebhookSettings
    ) -> None:
        self._settings = webhook
        self._webhook = Webhook(judge_by(lambda: store.snapshot, namespace=namespace, clock=clock))
        self._trust = Trust(
            client,
            clock,
            namespace=namespace,
            names=names_of(_SERVICE, namespace),
            folder=webhook.cert_dir,
            use=self._webhook.use,
        )
        self._role = SecretsRole(lambda: store.snapshot, clock, namespace=namespace)
        self._heartbeats = MembershipSecret(client, lambda: store.snapshot, clock, namespace=namespace)
        store.subscribe(self._role.wake)
        store.subscribe(self._heartbeats.wake)

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Answer while the context lasts. Raises runtime.health.PortTaken."""
        if self._settings.port == 0:
            yield
            return
        async with self._webhook.serving(host="", port=self._settings.port):
            yield

    def tasks(self) -> Tasks:
        """What runs in every replica."""
        return self._trust.tasks() if self._settings.port else EMPTY

    async def lead(self, writer: Client) -> None:
        """What the leading controller writes, until cancelled."""
        trust = {"webhook-lead": lambda: self._trust.lead(writer)} if self._settings.port else {}
        await supervised(
            {
                "secrets-role": lambda: self._role.lead(writer),
                "membership-secret": lambda: self._heartbeats.lead(writer),
                **trust,
            }
        )
