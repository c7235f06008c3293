"""The tour of `make demo`: the steps one after the other, shown as they go."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from lab.errors import LabError
from lab.lab import Lab
from lab.show import Screen
from lab.steps import Finding, Heading, Step


def tour(lab: Lab, screen: Screen, steps: Iterable[Step]) -> bool:
    """Take every step and show what it saw; False if one failed, which ends the tour."""
    return take(screen, [(step, partial(step.run, lab)) for step in steps])


def take(screen: Screen, steps: Sequence[tuple[Heading, Callable[[], Finding]]]) -> bool:
    """The same for anything that finds something."""
    started = time.monotonic()
    findings = []
    for number, (heading, run) in enumerate(steps, start=1):
        screen.heading(heading, number=number, of=len(steps))
        step_started = time.monotonic()
        try:
            finding = run()
        except LabError as exc:
            screen.failed(str(exc))
            return False
        screen.finding(finding, seconds=time.monotonic() - step_started)
        findings.append((heading, finding))
    screen.summary(findings, seconds=time.monotonic() - started)
    return True
