"""One gRPC connection to a gobgpd: calls by method name, a deadline on each, errors in our own words.

Knows nothing of what the messages mean. The methods come from the service's descriptor, so there is no
generated code besides the messages. A broken connection is set up again by gRPC itself, within a second.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from openelb_bgp.bgp.gobgp.errors import (
    GobgpError,
    NotStarted,
    Rejected,
    SidecarHung,
    SidecarUnavailable,
    Stopped,
)

# gobgpd answers with up to 256 MiB; grpc's own limit is 4 MiB.
_RECEIVE_LIMIT: Final = 256 * 1024 * 1024
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _RECEIVE_LIMIT),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Whatever its name says, the time that an attempt to connect may take: on a busy machine gobgpd's first
    # words come late, and a hung one shall be found out all the same.
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Otherwise channels to one address share a connection, and one's back-off holds up the other.
    ("grpc.use_local_subchannel_pool", 1),
)


class Unimplemented(GobgpError):
    """The service or the method is not there: gobgpd speaks the other API, or is older."""


class Channel:
    """A connection; `target` is `unix:///path`, a bare absolute path, or `host:port`.

    `deadline` (seconds) holds for each call that does not say otherwise. All calls raise SidecarUnavailable,
    SidecarHung, Rejected (NotStarted, Stopped) or Unimplemented.
    """

    def __init__(self, target: str, *, deadline: float) -> None:
        self.target = f"unix://{target}" if Path(target).is_absolute() else target
        self.deadline = deadline
        self._channel = grpc.aio.insecure_channel(self.target, options=_OPTIONS)

    async def close(self) -> None:
        """Ends all calls under way."""
        await self._channel.close()

    async def call(self, service: ServiceDescriptor, name: str, request: Message) -> Any:
        """One request, one answer.

        Also for a method that takes a stream: one message and its end look the same on the wire (gRPC over
        HTTP/2). With several, gRPC may report that a write failed and lose gobgpd's reason for ending early.
        """
        method = service.methods_by_name[name]
        invoke = self._channel.unary_unary(_path(method), *_codec(method))
        with self._translated(name, self.deadline):
            return await invoke(request, timeout=self.deadline)

    async def listing(
        self, service: ServiceDescriptor, name: str, request: Message, *, deadline: float | None
    ) -> AsyncIterator[Any]:
        """One request, answers one by one; the deadline is for all of them, None for none."""
        method = service.methods_by_name[name]
        invoke = self._channel.unary_stream(_path(method), *_codec(method))
        with self._translated(name, deadline or 0.0):
            call = invoke(request, timeout=deadline)
            try:
                async for answer in call:
                    yield answer
            finally:
                call.cancel()

    @contextlib.contextmanager
    def _translated(self, name: str, deadline: float) -> Any:
        try:
            yield
        except grpc.aio.AioRpcError as exc:
            raise self._in_our_words(name, deadline, exc) from exc
        except grpc.aio.UsageError as exc:
            # Somebody else of us has closed the channel, because gobgpd is gone.
            raise SidecarUnavailable(self.target, "the connection was closed") from exc

    def _in_our_words(self, name: str, deadline: float, exc: grpc.aio.AioRpcError) -> GobgpError:
        text = exc.details() or exc.code().name
        match exc.code():
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
                return SidecarUnavailable(self.target, text)
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return SidecarHung(self.target, name, deadline)
            case grpc.StatusCode.UNIMPLEMENTED:
                return Unimplemented(text)
        # Application errors have no code of their own in 3.x, and not all have one in 4.x.
        if "hasn't started" in text:
            return NotStarted(name, text)
        if "server stopped" in text:
            return Stopped(name, text)
        return Rejected(name, text)


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _codec(method: MethodDescriptor) -> tuple[Any, Any]:
    return GetMessageClass(method.input_type).SerializeToString, GetMessageClass(
        method.output_type
    ).FromString
