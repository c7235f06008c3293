"""Instants on a clock, as seconds: None stands for never. Reading clocks is left to the callers."""


def soonest(*instants: float | None) -> float | None:
    """The earliest of the instants that are given; None if none is."""
    return min((instant for instant in instants if instant is not None), default=None)
