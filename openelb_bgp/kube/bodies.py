"""What is sent for a StatusWrite, by server-side apply, and what its answer shows to be still missing.

A Service takes one request: its /status takes labels, annotations and conditions along with the addresses, as
Kubernetes' own kinds do. What apply cannot say, that a finalizer or somebody else's key goes, and whatever
else the answer does not show, follows as a merge patch. Where many wait for addresses, these come first by
themselves, by a merge patch: it costs the API server a millisecond less than to apply the whole. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from openelb_bgp.decode import api_version_of
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Kind, ObjectRef, Patch
from openelb_bgp.model.statuses import ServiceStatus, SpeakerStatus, Status
from openelb_bgp.ports import StatusWrite
from openelb_bgp.report.conditions import READY, VALID
from openelb_bgp.report.services import OURS

Body = dict[str, Any]
"""An object, or a change to one, as JSON has it."""

_OWN_CONDITIONS = OURS | {VALID, READY}


def status_body(write: StatusWrite) -> Body:
    """What is applied to the object's /status. The write's status is not None.

    Only a Service's carries the resourceVersion that it was decided on: all others are reports, of which the
    last is the true one. An empty list of addresses is written out: left out, one that another manager set
    would stay.
    """
    metadata = _name_of(write.ref)
    if write.ref.kind is Kind.SERVICE:
        metadata |= {
            "labels": _set(write.labels),
            "annotations": _set(write.annotations),
        }
        if write.based_on:
            metadata["resourceVersion"] = write.based_on
    return _object(write.ref, metadata) | {"status": _status(write.status)}


def address_body(write: StatusWrite) -> Body | None:
    """The merge patch of the /status that gives a Service its addresses and says which pools they are of.

    It leaves the labels and conditions to the write that follows once this one is seen. None for a write that
    gives none, or would not be refused if the Service has changed meanwhile.
    """
    status = write.status
    if not isinstance(status, ServiceStatus) or not status.load_balancer.ingress or not write.based_on:
        return None
    if not write.urgent or write.remove_finalizers:
        return None
    return {
        "metadata": {"resourceVersion": write.based_on, "annotations": dict(write.annotations)},
        "status": {"loadBalancer": _status(status)["loadBalancer"]},
    }


def missing(write: StatusWrite, answer: Mapping[str, Any]) -> Body | None:
    """The merge patch that makes up for what the answer to `status_body` does not show, if anything."""
    metadata = answer.get("metadata") or {}
    lacking: Body = {
        name: differing
        for name, patch in (("labels", write.labels), ("annotations", write.annotations))
        if (differing := _differing(metadata.get(name) or {}, patch))
    }
    finalizers = metadata.get("finalizers") or []
    kept = [one for one in finalizers if one not in write.remove_finalizers]
    if len(kept) != len(finalizers):
        # Null is no empty list: JSON merge patch (RFC 7386) takes the field away with it.
        lacking["finalizers"] = kept or None
    if not lacking:
        return None
    return {"metadata": {"resourceVersion": metadata.get("resourceVersion", ""), **lacking}}


def leftover(write: StatusWrite, answer: Mapping[str, Any]) -> Body | None:
    """The merge patch that takes away maps of a report that apply left: another manager owns them too."""
    status = answer.get("status") or {}
    filled = [name for name in _empty_maps(msgspec.to_builtins(write.status)) if status.get(name)]
    return {"status": dict.fromkeys(filled)} if filled else None


def speaker_body(ref: ObjectRef, *, node_uid: str) -> Body:
    """A Speaker that does not exist yet. It goes with its Node, if that has a uid."""
    metadata = _name_of(ref)
    if node_uid:
        metadata["ownerReferences"] = [
            {"apiVersion": "v1", "kind": Kind.NODE.value, "name": ref.key.name, "uid": node_uid}
        ]
    return _object(ref, metadata)


def _object(ref: ObjectRef, metadata: Body) -> Body:
    return {"apiVersion": api_version_of(ref.kind), "kind": ref.kind.value, "metadata": metadata}


def _name_of(ref: ObjectRef) -> Body:
    names = {"name": ref.key.name}
    return names | {"namespace": ref.key.namespace} if ref.key.namespace else names


def _status(status: Status | None) -> Body:
    built: Body = msgspec.to_builtins(status)
    if isinstance(status, ServiceStatus):
        built["loadBalancer"] = {"ingress": [*built["loadBalancer"].get("ingress", ())]}
    for name in _empty_maps(built):
        # Left out: an empty one in place of another becomes null in the API server, which its schema refuses.
        del built[name]
    if status is not None and not isinstance(status, SpeakerStatus):
        built["conditions"] = _own(status.conditions)
    return built


def _empty_maps(built: Body) -> list[str]:
    return [name for name, value in built.items() if value == {}]


def _own(conditions: Sequence[Condition]) -> list[Body]:
    """Ours only: whoever applies a condition owns it."""
    return [msgspec.to_builtins(one) for one in conditions if one.type in _OWN_CONDITIONS]


def _set(patch: Patch) -> dict[str, str]:
    return {key: value for key, value in patch.items() if value is not None}


def _differing(shown: Mapping[str, str], patch: Patch) -> Body:
    return {key: value for key, value in patch.items() if shown.get(key) != value}
