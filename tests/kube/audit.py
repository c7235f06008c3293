"""What the API server was asked by whom, and whether it was allowed: its audit log; and what RBAC grants.

https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lab.cluster.api import Api, Object

_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


class Right(NamedTuple):
    """One verb on one resource (with its subresource), in a namespace or in all (empty)."""

    verb: str
    resource: str
    namespace: str = ""


class AuditLog:
    """The log of an API server that is started with `flags`."""

    def __init__(self, folder: Path) -> None:
        self._log, policy = folder / "audit.log", folder / "audit-policy.yaml"
        policy.write_text(yaml.safe_dump(_POLICY))
        self.flags = (f"--audit-policy-file={policy}", f"--audit-log-path={self._log}")

    def asked(self, account: str) -> set[Right]:
        """What that ServiceAccount was allowed, with the namespace only where the grant is for one."""
        return self._with(account, "allow")

    def refused(self, account: str) -> set[Right]:
        """What it asked for in vain."""
        return self._with(account, "forbid")

    def _with(self, account: str, decision: str) -> set[Right]:
        rights = (_right(one) for one in self._of(account) if _decision(one) == decision)
        return {one for one in rights if one is not None}

    def _of(self, account: str) -> Iterable[Mapping[str, Any]]:
        user = f"system:serviceaccount:openelb-system:{account}"
        for line in self._log.read_text().splitlines():
            event = json.loads(line)
            if event["user"]["username"] == user and "objectRef" in event:
                yield event


def granted(api: Api, account: str) -> set[Right]:
    """What the bindings to that ServiceAccount grant, as they stand."""
    found = set()
    for binding in (*api.items("ClusterRoleBinding"), *api.items("RoleBinding")):
        if any(one.get("name") == account for one in binding.get("subjects") or ()):
            role = binding["roleRef"]
            namespace = binding["metadata"].get("namespace", "")
            found |= _rights(api.get(role["kind"], role["name"], namespace=namespace), namespace)
    return found


def _rights(role: Object, namespace: str) -> set[Right]:
    return {
        Right(verb, resource, namespace)
        for rule in role.get("rules") or ()
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }


def _decision(event: Mapping[str, Any]) -> str:
    return str(event.get("annotations", {}).get("authorization.k8s.io/decision", ""))


def _right(event: Mapping[str, Any]) -> Right | None:
    """Discovery is open to everybody, and no right."""
    what = event["objectRef"]
    if "resource" not in what:
        return None
    subresource = what.get("subresource")
    resource = f"{what['resource']}/{subresource}" if subresource else what["resource"]
    reason = event.get("annotations", {}).get("authorization.k8s.io/reason", "")
    # "RBAC: allowed by RoleBinding …" names who granted it; one of a ClusterRoleBinding holds everywhere.
    everywhere = "ClusterRoleBinding" in reason
    return Right(event["verb"], resource, "" if everywhere else what.get("namespace", ""))
