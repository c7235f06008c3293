"""What the API server answers: whole documents, parts of lists, and the lines of a watch.

How it was asked is `client`; what objects mean is for the callers. No connection is held here.
"""

from collections.abc import AsyncGenerator
from typing import Any, TypeVar

import msgspec

from .errors import ServerError, Unreachable

Document = dict[str, Any]
"""One object as JSON has it."""

_LONGEST_LINE = 64 * 1024 * 1024

T = TypeVar("T")


class ListMeta(msgspec.Struct, frozen=True):
    """`continue_` is what the next part is asked for with (meta/v1, ListMeta)."""

    resource_version: str | None = msgspec.field(default=None, name="resourceVersion")
    continue_: str | None = msgspec.field(default=None, name="continue")


class ListDocument(msgspec.Struct, frozen=True):
    """A part of a list (meta/v1, List)."""

    metadata: ListMeta = ListMeta()
    items: tuple[msgspec.Raw, ...] | None = None


def decoded(body: bytes, type_: type[T]) -> T:
    """The answer, whole. Raises ServerError where it is none of an API server."""
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.MsgspecError as error:
        raise ServerError(f"the answer is not an API server's: {error}", code=502) from error


async def lines(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[list[bytes], None]:
    """The lines in a stream, all those that a chunk completes at once; for an empty chunk an empty batch.

    Raises ServerError for a line without end, Unreachable for a stream that ends within one.
    """
    begun: list[bytes] = []
    length = 0
    async for chunk in chunks:
        if not chunk:
            yield []
            continue
        head, found, tail = chunk.rpartition(b"\n")
        if not found:
            begun.append(chunk)
            length += len(chunk)
            if length > _LONGEST_LINE:
                raise ServerError(f"a watch sent a line of more than {_LONGEST_LINE} bytes", code=502)
            continue
        yield (b"".join([*begun, head]) if begun else head).split(b"\n")
        begun, length = ([tail], len(tail)) if tail else ([], 0)
    if begun:
        raise Unreachable("a watch ended within a line", sent=True)
