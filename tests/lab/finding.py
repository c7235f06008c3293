"""What every step of a tour must return."""

from lab.lab import Lab
from lab.steps import Step


def expect_holds(step: Step, lab: Lab) -> None:
    """The step holds, and its table has as many cells in every row as it has columns."""
    finding = step.run(lab)
    assert finding.sentence
    assert [len(row) for row in finding.rows] == [len(finding.columns)] * len(finding.rows)
