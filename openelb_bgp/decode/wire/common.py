"""What several kinds share on the wire: metadata, selectors, and the numbers of the field."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from openelb_bgp.model.conditions import Condition

from .described import doc

Uint32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Asn = Uint32
"""An AS number (RFC 6793)."""
OwnAsn = Annotated[int, Meta(ge=1, le=2**32 - 1)]
"""An AS number of ours: 0 is none (RFC 7607)."""
Port = Annotated[int, Meta(ge=1, le=65535)]
Ttl = Annotated[int, Meta(ge=1, le=255)]
Seconds24 = Annotated[int, Meta(ge=0, le=2**24 - 1)]
"""Seconds in 24 bits, as long-lived graceful restart has them (RFC 9494, 3)."""
Text = Annotated[str, Meta(min_length=1)]


class ObjectMeta(msgspec.Struct, rename="camel", kw_only=True):
    """Kubernetes ObjectMeta; what decisions do not use is there so that it is not an unknown field."""

    name: str | None = None
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    uid: str | None = None
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] | None = None
    resource_version: str | None = None
    generation: int | None = None


class FullObjectMeta(ObjectMeta, rename="camel", kw_only=True):
    """ObjectMeta with the fields that nothing reads, for kinds whose unknown fields are reported."""

    generate_name: Any = None
    self_link: Any = None
    deletion_grace_period_seconds: Any = None
    owner_references: Any = None
    managed_fields: Any = None


class Requirement(msgspec.Struct, rename="camel", kw_only=True):
    """One expression of a label selector."""

    key: Annotated[Text, doc("The label's key.")]
    operator: Annotated[str, doc("In, NotIn, Exists or DoesNotExist.")]
    values: Annotated[
        tuple[str, ...] | None, doc("Values for In and NotIn; empty for Exists and DoesNotExist.")
    ] = None


class LabelSelector(msgspec.Struct, rename="camel", kw_only=True):
    """A Kubernetes LabelSelector."""

    match_labels: Annotated[dict[str, str] | None, doc("Labels that must have exactly these values.")] = None
    match_expressions: Annotated[tuple[Requirement, ...] | None, doc("Expressions that must all hold.")] = (
        None
    )


Conditions = tuple[Condition, ...]
