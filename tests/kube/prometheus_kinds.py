"""The Prometheus Operator's kinds, as far as our chart writes them: unknown fields are refused."""

from typing import Any

_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION = {"type": "string", "pattern": r"^(([0-9]+)(ms|s|m|h|d|w|y))+$"}
_MONITOR = {
    "type": "object",
    "required": ["endpoints", "selector"],
    "properties": {
        "endpoints": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "port": {"type": "string"},
                    "interval": _DURATION,
                    "scrapeTimeout": _DURATION,
                },
            },
        },
        "selector": {"type": "object", "properties": {"matchLabels": _STRINGS}},
    },
}


_RULE = {
    "type": "object",
    "required": ["expr"],
    "properties": {
        "alert": {"type": "string"},
        "expr": {"type": "string"},
        "for": _DURATION,
        "labels": _STRINGS,
        "annotations": _STRINGS,
    },
}
_GROUP = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "rules": {"type": "array", "items": _RULE}},
}
_RULES = {"type": "object", "properties": {"groups": {"type": "array", "items": _GROUP}}}


def prometheus_crds() -> list[dict[str, Any]]:
    """The definitions of ServiceMonitor and PrometheusRule."""
    return [_definition("ServiceMonitor", _MONITOR), _definition("PrometheusRule", _RULES)]


def _definition(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [version],
        },
    }
