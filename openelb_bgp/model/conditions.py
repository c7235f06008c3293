"""Conditions as Kubernetes writes them (API conventions, typical status properties)."""

import msgspec


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """One condition. `status` is True, False or Unknown; `last_transition_time` is RFC 3339 text."""

    type: str
    status: str
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0

    def same_state(self, other: "Condition") -> bool:
        """Whether only the time differs: such a condition keeps its earlier time."""
        return (self.type, self.status) == (other.type, other.status)
