"""The tour of `make demo`: the steps one after the other, shown as they go."""

import time
from collections.abc import Sequence

from lab.errors import LabError
from lab.lab import Lab
from lab.show import Screen
from lab.steps import Step


def tour(lab: Lab, screen: Screen, steps: Sequence[Step]) -> bool:
    """Take every step and show what it saw; False if one failed, which ends the tour."""
    started = time.monotonic()
    findings = []
    for number, step in enumerate(steps, start=1):
        screen.heading(step, number=number, of=len(steps))
        step_started = time.monotonic()
        try:
            finding = step.run(lab)
        except LabError as exc:
            screen.failed(str(exc))
            return False
        screen.finding(finding, seconds=time.monotonic() - step_started)
        findings.append((step, finding))
    screen.summary(findings, seconds=time.monotonic() - started)
    return True
