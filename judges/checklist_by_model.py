"""The checklist judge as a model: which gold claims does an answer make? To be compared with `checklist`.

Sees the claims as sentences and not the phrases by which `checklist` looks for them. Claim by claim in one reply, so
that an answer is read once.
"""

from __future__ import annotations

from judges.base import JudgeRow, Mark
from judges.checklist import coverage_marks
from judges.model_judge import Asked, ModelJudge
from judges.replies import Form


class Claims(Form):
    """The reply, in the order of the claims."""

    claims: list[bool]


class ChecklistByModel(ModelJudge):
    """Axes `coverage` and `correct`, as of `checklist`."""

    name = "checklist-by-model"
    axes = ("coverage", "correct")
    needs = ("claims",)
    templates = ("checklist",)

    async def marks(self, row: JudgeRow, ask: Asked) -> dict[str, Mark]:
        """Coverage and correctness of one answer.

        Raises:
            ValueError: the prompt has no gold claims, or the reply is not of as many claims.
        """
        if not row.claims:
            raise ValueError(f"prompt {row.prompt_id} has no gold claims to look for")
        answer, unseen = self.shown(row.response)
        listed = "\n".join(f"{i}. {claim.claim}" for i, claim in enumerate(row.claims, start=1))
        texts = {"question": row.question, "answer": answer, "claims": listed}
        found = (await ask("checklist", texts, Claims, unseen=unseen, n=len(row.claims))).claims
        if len(found) != len(row.claims):
            raise ValueError(f"{len(found)} claims were answered for of {len(row.claims)}")
        pairs = zip(row.claims, found, strict=True)
        return coverage_marks([{"claim": claim.claim, "found": made} for claim, made in pairs])
