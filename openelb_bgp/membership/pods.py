"""Whether a speaker lives, by what its pod says. Pure.

A Speaker says what its process wrote last. Whether that still runs its pod says, which kubelet keeps true,
and Kubernetes' own node controller where kubelet is gone.
"""

from collections.abc import Mapping

import msgspec

from openelb_bgp.model.meta import EMPTY, Kind, ObjectRef, ref
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import SpeakerStatus

_NO_REPORT = SpeakerStatus()
"""A Speaker is made first, and gets its status by a second request."""


class SpeakerPods:
    """Speakers with their pods' readiness, from one snapshot to the next."""

    def __init__(self) -> None:
        self._speakers: Mapping[str, Speaker] = EMPTY
        self._pods: object = None
        self._made: Mapping[str, Speaker] = EMPTY
        self._silent_since: Mapping[str, float] = EMPTY

    def judge(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with `ready` of each Speaker as its node's pods say, once these have been listed.

        What does not change is the same object as in the snapshot before.
        """
        if not snapshot.has_listed(Kind.POD):
            return snapshot
        if snapshot.speakers is not self._speakers or snapshot.pods is not self._pods:
            alive = {pod.node for pod in snapshot.pods.values() if pod.ready}
            judged = {
                name: self._judged(one, name in alive and one.status != _NO_REPORT)
                for name, one in snapshot.speakers.items()
            }
            unchanged = len(judged) == len(self._made) and all(
                self._made.get(name) is one for name, one in judged.items()
            )
            self._speakers, self._pods = snapshot.speakers, snapshot.pods
            self._made = self._made if unchanged else judged
        return msgspec.structs.replace(snapshot, speakers=self._made)

    def _judged(self, speaker: Speaker, ready: bool) -> Speaker:
        if speaker.ready is ready:
            return speaker
        known = self._made.get(speaker.name)
        judged = msgspec.structs.replace(speaker, ready=ready)
        return known if known is not None and known == judged else judged

    def dead(
        self, snapshot: Snapshot, *, after: float, now: float
    ) -> tuple[tuple[ObjectRef, ...], float | None]:
        """The Speakers of a judged snapshot whose pods have been gone or not ready for `after` seconds.

        Also the monotonic instant at which the next is due.
        """
        silent = [name for name, one in snapshot.speakers.items() if not one.ready]
        self._silent_since = {name: self._silent_since.get(name, now) for name in silent}
        due = {name: since + after for name, since in self._silent_since.items()}
        gone = sorted(name for name, at in due.items() if at <= now)
        later = min((at for at in due.values() if at > now), default=None)
        return tuple(ref(Kind.SPEAKER, name) for name in gone), later
