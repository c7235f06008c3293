"""The requests that one status takes, in their order: it is applied, then what the answer lacks follows.

What the requests say is `bodies`. Nothing is tried again here: what an answer means is for the sink.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from openelb_bgp.model.meta import Kind, ObjectRef, ref
from openelb_bgp.ports import StatusWrite

from .answers import Document
from .bodies import address_body, leftover, missing, speaker_body, status_body
from .client import Client
from .errors import Invalid, NotFound
from .resources import RESOURCES

UidOf = Callable[[ObjectRef], str]
"""The uid of an object as it is known, empty where it is not."""


class StatusRequests:
    """Makes requests for the sink. Every method raises KubeError."""

    def __init__(self, client: Client, uid_of: UidOf) -> None:
        self._client = client
        self._uid_of = uid_of
        self._node_uid = ""

    def note(self, about: ObjectRef) -> None:
        """Take note of who owns what will be written: of a Speaker, its Node.

        That may be deleted before the request is made, and the Speaker with it. One that is made then shall
        go after it, not stay without an owner.
        """
        if about.kind is Kind.SPEAKER:
            self._node_uid = self._uid_of(ref(Kind.NODE, about.key.name)) or self._node_uid

    async def delete(self, about: ObjectRef) -> None:
        """Delete the object; one that is gone is as good."""
        with contextlib.suppress(NotFound):
            await self._client.delete(RESOURCES[about.kind], about.key.name, namespace=about.key.namespace)

    async def give(self, write: StatusWrite) -> Document | None:
        """Write a Service's addresses alone; None where that is not to be done by itself."""
        brief = address_body(write)
        if brief is None:
            return None
        resource, key = RESOURCES[write.ref.kind], write.ref.key
        return await self._client.patch(
            resource, key.name, brief, form="merge", namespace=key.namespace, subresource="status"
        )

    async def apply(self, write: StatusWrite) -> Document:
        """Apply the status; a Speaker that is not there is made."""
        try:
            return await self._apply_status(write)
        except NotFound:
            if write.ref.kind is not Kind.SPEAKER:
                raise
        self.note(write.ref)
        whole = speaker_body(write.ref, node_uid=self._node_uid)
        await self._client.apply(RESOURCES[Kind.SPEAKER], write.ref.key.name, whole)
        return await self._apply_status(write)

    async def complete(self, write: StatusWrite, answer: Mapping[str, Any]) -> None:
        """Make up for what the answer to `apply` does not show."""
        resource, key = RESOURCES[write.ref.kind], write.ref.key
        if (extra := leftover(write, answer)) is not None:
            await self._client.patch(resource, key.name, extra, form="merge", subresource="status")
        if (lacking := missing(write, answer)) is not None:
            await self._client.patch(resource, key.name, lacking, form="merge", namespace=key.namespace)

    async def _apply_status(self, write: StatusWrite) -> Document:
        resource, key = RESOURCES[write.ref.kind], write.ref.key
        try:
            return await self._client.apply(
                resource, key.name, status_body(write), namespace=key.namespace, subresource="status"
            )
        except Invalid:
            if write.ref.kind is Kind.SERVICE:
                await self._ask_for(write)
            raise

    async def _ask_for(self, write: StatusWrite) -> None:
        """Raises NotFound, or Conflict, if the object is gone or another than the one decided on.

        Applied to a Service that is gone, a status is taken for a new Service, which lacks its ports.
        """
        resource, key = RESOURCES[write.ref.kind], write.ref.key
        nothing = {"metadata": {"resourceVersion": write.based_on}}
        await self._client.patch(
            resource, key.name, nothing, form="merge", namespace=key.namespace, subresource="status"
        )
