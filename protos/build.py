"""Placeholder build hook: replaced by the stub generator."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StubHook(BuildHookInterface[Any]):
    """Generates the gRPC stubs (see protos/)."""
