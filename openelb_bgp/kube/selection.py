"""What a list or a watch asks for: which objects of a kind, and how much of each; and a part of what comes.

How it is asked is in `client`.
"""

from collections.abc import Mapping

import msgspec

_WHOLE = "application/json"
_METADATA = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"


class Page(msgspec.Struct, frozen=True):
    """A part of a list. `resource_version` is the whole list's; items have neither kind nor apiVersion."""

    items: tuple[msgspec.Raw, ...]
    resource_version: str
    is_last: bool


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which objects of a kind, and how much of each; an empty namespace is all of them."""

    namespace: str = ""
    fields: str = ""
    labels: str = ""
    metadata_only: bool = False

    def query(self) -> Mapping[str, str]:
        """The selectors as the API wants them."""
        wanted = {"fieldSelector": self.fields, "labelSelector": self.labels}
        return {name: text for name, text in wanted.items() if text}

    def accept(self, *, is_list: bool) -> str:
        """The media type to ask for (Kubernetes API concepts, "Metadata-only fetches")."""
        return _METADATA.format("List" if is_list else "") if self.metadata_only else _WHOLE
