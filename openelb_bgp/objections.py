"""What is wrong with objects in the light of the others, looked for again only when it may have changed.

Admission and the reader of GoBGP policies find it; here is only when they are asked.
"""

from collections.abc import Mapping

from openelb_bgp import admission
from openelb_bgp.bgp.policy_toml import policy_defects
from openelb_bgp.lib.identity import same_objects
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.model.snapshot import Snapshot

# A look over 10,000 Services takes 0.06 s and finds warnings about edited pools: no address waits for
# it, and a thousand Services that change one after another are looked at once.
_SERVICES_AFTER = 5.0


class Objections:
    """Admission's defects, looked for again when an object of ours changes, for Services' sake later."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._seen: tuple[object, ...] = ()
        self._services: object = None
        self._due: float | None = None
        self._defects: Mapping[ObjectRef, tuple[Defect, ...]] = {}

    def of(
        self, snapshot: Snapshot, *, now: float
    ) -> tuple[Mapping[ObjectRef, tuple[Defect, ...]], float | None]:
        """What is wrong, and the monotonic instant at which to look again."""
        seen = (
            snapshot.eips,
            snapshot.bgp_confs,
            snapshot.bgp_peers,
            snapshot.nodes,
            snapshot.secrets,
            snapshot.config_maps,
        )
        if same_objects(seen, self._seen):
            if snapshot.services is self._services:
                return self._defects, None
            if self._due is None:
                self._due = now + _SERVICES_AFTER
            if now < self._due:
                return self._defects, self._due
        self._seen, self._services, self._due = seen, snapshot.services, None
        self._defects = self._look(snapshot)
        return self._defects, None

    def _look(self, snapshot: Snapshot) -> Mapping[ObjectRef, tuple[Defect, ...]]:
        found = dict(admission.check(snapshot, namespace=self._namespace))
        conf = snapshot.bgp_conf
        if conf is not None and (wrong := policy_defects(snapshot, namespace=self._namespace)):
            found[conf.ref] = (*found.get(conf.ref, ()), *wrong)
        return found
