"""Judges: what reads answers and scores them. One module per judge, one line here per judge.

Importing this package loads no Ray and opens nothing: the pool (`judges.pool`) does that when it is started, and a
model is reached when it is first asked.
"""

from __future__ import annotations

from dd_core.errors import InputError, unknown
from dd_core.judging import JudgeSpec
from judges.base import Judge, JudgeRow, Mark
from judges.checklist import Checklist
from judges.checklist_by_model import ChecklistByModel
from judges.delivery import Delivery
from judges.delivery_by_model import DeliveryByModel
from judges.mcas import Mcas
from judges.model_judge import Loops, ModelJudge
from judges.pairwise import Pairwise
from judges.programs import Programs
from judges.recovery import Recovery
from judges.rubric import Rubric

JUDGES: dict[str, type[Judge]] = {
    "checklist": Checklist,
    "checklist-by-model": ChecklistByModel,
    "delivery": Delivery,
    "delivery-by-model": DeliveryByModel,
    "execution": Programs,
    "mcas": Mcas,
    "pairwise": Pairwise,
    "recovery": Recovery,
    "rubric": Rubric,
}
"""Name in a study file → the judge."""

DETERMINISTIC = tuple(name for name, judge in JUDGES.items() if not issubclass(judge, ModelJudge))
"""Names of the judges that need no model."""


def make_judge(judge: str | JudgeSpec, loops: Loops | None = None) -> Judge:
    """The judge of that name or description. Sends and loads nothing.

    Args:
        loops: of the process, by which judges that are models are asked; each has its own if left out.

    Raises:
        InputError: no judge has that name, it lacks its model, or is given what it does not take.
    """
    spec = JudgeSpec(judge=judge) if isinstance(judge, str) else judge
    if spec.judge not in JUDGES:
        raise InputError(f"judges: {unknown('judge', spec.judge, JUDGES)}")
    kind = JUDGES[spec.judge]
    if issubclass(kind, ModelJudge):
        return kind(spec, loops)
    if spec.question != spec.judge:
        raise InputError(f"judges.{spec.judge}: is deterministic, and takes no model, axes or passes")
    return kind()


__all__ = ["DETERMINISTIC", "JUDGES", "Judge", "JudgeRow", "Mark", "make_judge"]
