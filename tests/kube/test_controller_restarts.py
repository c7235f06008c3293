"""Creates, edits and deletes at random against a real API server, with the controller killed at any point.

At the end nothing may be missing: every Service that asks for an address has one of its own in its pool, no
address has moved that had no reason to, and every status says what is.
"""

import shutil
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from lab.cluster.kubelet import service
from openelb_bgp.model import keys
from tests.daemons.harness.manifests import eip
from tests.kube.harness.cleaning import make_namespace
from tests.kube.harness.control_plane import ControlPlane
from tests.kube.harness.ours import Seen, controller, ready_cluster

MANAGED = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE}
NAMES = [f"web{number}" for number in range(8)]
POOLS = {"first": "192.0.2.0/29", "second": "198.51.100.0/29"}
_SETTLED_WITHIN = 40.0


class Restarts(RuleBasedStateMachine):
    """`asking` are the Services that ask for an address, `held` what each was last seen with while it did."""

    control_plane: ControlPlane

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="oelb-restarts-"))
        self.api = ready_cluster(self.control_plane, "node1")
        self.seen = Seen(self.api)
        self.namespace = make_namespace(self.api)
        for pool, address in POOLS.items():
            self.api.create(eip(f"{self.namespace}-{pool}", address, default=pool == "first"))
        self.ours = controller(self.control_plane, self.folder)
        self.ours.start()
        self.asking: set[str] = set()
        self.there: set[str] = set()
        self.held: dict[str, str] = {}

    @rule(name=st.sampled_from(NAMES))
    def create(self, name: str) -> None:
        """A Service that asks for an address, if there is none of that name."""
        if name in self.there:
            return
        self.api.create(
            service(
                *(name,),
                namespace=self.namespace,
                annotations=MANAGED,
                allocateLoadBalancerNodePorts=False,
            )
        )
        self.there.add(name)
        self.asking.add(name)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        """It goes, and its address with it."""
        self.api.delete("Service", name, namespace=self.namespace)
        for known in (self.there, self.asking):
            known.discard(name)
        self.held.pop(name, None)

    @rule(name=st.sampled_from(NAMES), ours=st.booleans())
    def ask_or_not(self, name: str, ours: bool) -> None:
        """It asks for an address, or no longer."""
        if name not in self.there:
            return
        value = keys.MANAGED_VALUE if ours else None
        self._edit(name, {"metadata": {"annotations": {keys.MANAGED_ANNOTATION: value}}})
        if ours:
            self.asking.add(name)
        else:
            self.asking.discard(name)
            self.held.pop(name, None)

    @rule(name=st.sampled_from(NAMES), pool=st.sampled_from(sorted(POOLS)))
    def name_a_pool(self, name: str, pool: str) -> None:
        """It asks for an address of that pool: the one that it has may move for that."""
        if name in self.there:
            wanted = f"{self.namespace}-{pool}"
            self._edit(name, {"metadata": {"annotations": {keys.EIP_ANNOTATION: wanted}}})
            self.held.pop(name, None)

    @rule(name=st.sampled_from(NAMES))
    def take_the_address_out(self, name: str) -> None:
        """Somebody edits its status."""
        if name in self.there:
            self.api.patch(
                *("Service", name, {"status": {"loadBalancer": None}}),
                namespace=self.namespace,
                subresource="status",
            )
            self.held.pop(name, None)

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.3]))
    def kill(self, seconds: float) -> None:
        """The controller dies at some moment, and is started again."""
        time.sleep(seconds)
        self.ours.daemon.end(signal.SIGKILL)
        self.ours.start()

    @rule()
    def settle(self) -> None:
        """Wait for what has to be."""
        deadline = time.monotonic() + _SETTLED_WITHIN
        while (wrong := self._wrong()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not wrong, f"{wrong}\n{self.ours.daemon.output()[-2000:]}"
        services = self._services()
        self.held = {name: self._addresses(services[name])[0] for name in self.asking}

    @invariant()
    def no_address_twice_and_none_lost(self) -> None:
        """At every moment."""
        services = self._services()
        count = Counter(one for found in services.values() for one in self._addresses(found))
        assert [address for address, holders in count.items() if holders > 1] == []
        for name, address in self.held.items():
            assert self._addresses(services[name]) == [address], name

    def teardown(self) -> None:
        """What has to be is, at the end of each run."""
        try:
            self.settle()
        finally:
            self.ours.daemon.end()
            self.api.delete("Lease", "openelb-controller", namespace="openelb-system")
            for name in self.there:
                self.api.delete("Service", name, namespace=self.namespace)
            for pool in POOLS:
                self.api.delete("Eip", f"{self.namespace}-{pool}")
            shutil.rmtree(self.folder)

    def _wrong(self) -> list[str]:
        """What does not say yet what is, each in a few words."""
        found = []
        used: dict[str, dict[str, str]] = {pool: {} for pool in POOLS}
        for name, one in self._services().items():
            addresses = self._addresses(one)
            labels = one["metadata"].get("labels") or {}
            wanted = (one["metadata"].get("annotations") or {}).get(keys.EIP_ANNOTATION)
            pool = (wanted or f"{self.namespace}-first").removeprefix(f"{self.namespace}-")
            if name not in self.asking:
                if addresses or keys.EIP_LABEL in labels or one["status"].get("conditions"):
                    found.append(f"{name} keeps something of ours")
                continue
            conditions = {each["type"]: each["status"] for each in one["status"].get("conditions", ())}
            if len(addresses) != 1 or labels.get(keys.EIP_LABEL) != f"{self.namespace}-{pool}":
                found.append(f"{name} has {addresses}, {labels}")
            elif conditions != {keys.ALLOCATED_CONDITION: "True", keys.ANNOUNCED_CONDITION: "False"}:
                found.append(f"{name} says {conditions}")
            else:
                used[pool][addresses[0]] = f"{self.namespace}/{name}"
        for pool, holders in used.items():
            status = self.seen.status("Eip", f"{self.namespace}-{pool}")
            if (status.get("usage"), status.get("used", {})) != (len(holders), holders):
                found.append(f"{pool} says {status.get('used')}")
        return found

    def _services(self) -> dict[str, Any]:
        return {one["metadata"]["name"]: one for one in self.api.items("Service", namespace=self.namespace)}

    def _addresses(self, found: Any) -> list[str]:
        return [one["ip"] for one in found["status"]["loadBalancer"].get("ingress", ())]

    def _edit(self, name: str, change: dict[str, Any]) -> None:
        self.api.patch("Service", name, change, namespace=self.namespace)


@pytest.mark.timeout(900)
def test_whatever_happens_no_address_is_given_twice_none_is_lost_and_statuses_are_right_at_the_end(
    control_plane: ControlPlane,
) -> None:
    class Here(Restarts):
        pass

    Here.control_plane = control_plane
    run_machine(
        Here,
        settings=settings(
            max_examples=5,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=False,
            database=None,
        ),
    )
