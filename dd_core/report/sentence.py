"""The verdict in one sentence of plain words.

Put together from what the verdict and its claim hold. Does not weigh evidence: it repeats in words what was decided.
"""

from __future__ import annotations

from dd_core.claim import Claim
from dd_core.falsify.audits import AUDITS as ALL_AUDITS
from dd_core.falsify.verdict import MECHANISMS, StepResult, Verdict
from dd_core.report.words import AUDITS, STEPS, count, plain

REQUIRED_AUDITS = frozenset(audit.id for audit in ALL_AUDITS if audit.required)

_PLACEBOS = {
    "lora": "an edit trained on shuffled data",
    "tempering": "tempering random heads",
    "contrast": "a contrast with an adapter trained on shuffled data",
    "sidecar": "a random readout that doubts as many answers",
    "prompt": "as many words that ask for nothing",
    "steering": "a random direction of the same length",
}

_EFFECTS: dict[str, tuple[str, str]] = {
    "assert": ("assert more", "hedge more"),
    "correct": ("answer more questions correctly", "answer fewer questions correctly"),
    "coverage": ("state more of the known facts", "state fewer of the known facts"),
    "passed": ("pass more of the tests", "pass fewer of the tests"),
    "recovered": ("recover more often after a correction", "recover less often after a correction"),
    "preference": ("get preferred more often", "get preferred less often"),
    "hedging_appropriateness": ("hedge more fittingly", "hedge less fittingly"),
    "factual_accuracy": ("get more facts right", "get fewer facts right"),
    "self_verification": ("check itself more", "check itself less"),
    "revision": ("revise itself more", "revise itself less"),
}


def effect(claim: Claim) -> str:
    """What is claimed of the treated model, as a bare verb phrase: "hedge more"."""
    if claim.kind == "probe":
        return f"read {plain(claim.axis)} from the hidden states"
    more, less = _EFFECTS.get(
        claim.axis, (f"score higher on {plain(claim.axis)}", f"score lower on {plain(claim.axis)}")
    )
    return more if claim.direction == "increase" else less


def _subject(claim: Claim) -> str:
    return "the probe" if claim.kind == "probe" else "the treated model"


def _estimated(verdict: Verdict, claim: Claim) -> tuple[str, StepResult] | None:
    """How the effect stands on fresh prompts, else on the search's: ("does" | "seems to" | "does not", the step)."""
    null = 0.5 if claim.kind == "probe" else 0.0
    for name in ("fresh", "within"):
        for step in verdict.steps:
            if step.id == name and step.estimate is not None:
                small = step.status == "fail" and (step.gate is None or step.estimate < step.gate)
                verb = "does" if step.status == "pass" else "does not" if small or step.estimate <= null else "seems to"
                return verb, step
    return None


def clause(audit: str, claim: Claim) -> str:
    """What is so when `audit` fails, as a clause that may follow "but"."""
    if audit not in AUDITS:
        return f"the audit {plain(audit)} fails"
    placebo = next((words for key, words in _PLACEBOS.items() if (claim.operator or "").startswith(key)), None)
    return AUDITS[audit].format(
        anchor=plain(claim.anchor or "accuracy"),
        searched=claim.searched,
        placebo=placebo or "an edit of the same size without the content",
    )


def _step_sentence(reason: str, verdict: Verdict, claim: Claim) -> str | None:
    who, what = _subject(claim), effect(claim)
    status = {step.id: step.status for step in verdict.steps}
    if reason == "no_within_signal":
        return f"{who} does not {what} by the gate, not even on the prompts that the search saw"
    if reason == "no_transfer":
        if status.get("within") == "pass":
            return f"{who} does {what} on the prompts that the search saw, but fails on fresh ones"
        return f"{who} fails to {what} on fresh prompts"
    if reason == "axis_collapse":
        return f"{who} does not pass on every axis that the claim covers"
    where = {"variant_fails": STEPS["variant"][1], "not_replicated": STEPS["replication"][1]}
    if reason in where:
        if reason == "variant_fails" and claim.kind == "probe":
            return f"{who} does not {what} when the last four layers are averaged"
        preposition = "at" if reason == "variant_fails" else "on"
        found = _estimated(verdict, claim)
        verb = found[0] if found and found[1].id == "fresh" else "does not"
        if verb == "does not":
            return f"{who} does not {what} {preposition} {where[reason]}"
        return f"{who} {verb} {what} on fresh prompts, but not {preposition} {where[reason]}"
    return None


def _lead(verdict: Verdict) -> str | None:
    """The reason that the sentence is about: the one that speaks for the mechanism, else the first."""
    speaking = [reason for reason in verdict.reasons if MECHANISMS.get(reason, "none_found") == verdict.mechanism]
    return next(iter([*speaking, *verdict.reasons]), None)


def _falsified(verdict: Verdict, claim: Claim) -> str:
    lead = _lead(verdict)
    if lead is None:
        return f"{_subject(claim)} does not {effect(claim)} as claimed"
    text = _step_sentence(lead, verdict, claim)
    if text is None:
        found = _estimated(verdict, claim)
        joined = "and" if found and found[0] == "does not" else "but"
        text = f"{_subject(claim)} {found[0]} {effect(claim)}, {joined} " if found else ""
        text += clause(lead, claim)
    mechanism = verdict.mechanism if verdict.mechanism not in (None, "none_found") else None
    return text + (f" ({plain(mechanism)})" if mechanism else "")


def _inconclusive(verdict: Verdict, claim: Claim) -> str:
    unclear, missing = _standing(verdict, "unclear"), _standing(verdict, "not_checkable")
    parts = [f"the rows are too few to settle {unclear}"] if unclear else []
    parts += [f"evidence is missing for {missing}"] if missing else []
    open_points = ", and ".join(parts) or "something that is required is unclear or missing"
    found = _estimated(verdict, claim)
    if found is None:
        return f"nothing failed, but {open_points}"
    where = "fresh prompts" if found[1].id == "fresh" else "the prompts that the search saw"
    return f"in these rows {_subject(claim)} {found[0]} {effect(claim)} on {where}, but {open_points}"


def _standing(verdict: Verdict, status: str) -> str:
    """The steps and required audits in `status`, counted and named: "2 steps (fresh, axes) and 1 audit (lost rows)"."""
    parts = []
    required = [audit for audit in verdict.audits if audit.id in REQUIRED_AUDITS]
    for noun, results in (("step", verdict.steps), ("audit", required)):
        names = [plain(result.id) for result in results if result.status == status]
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            parts.append(f"{count(len(names), noun)} ({', '.join(names[:3])}{more})")
    return " and ".join(parts)


def verdict_sentence(verdict: Verdict, claim: Claim) -> str:
    """The verdict in one sentence of plain words that begins with its name: "FALSIFIED: the treated model does …"."""
    if verdict.verdict == "SURVIVES":
        text = f"{_subject(claim)} does {effect(claim)} in every step, and no required audit explains it otherwise"
    elif verdict.verdict == "FALSIFIED":
        text = _falsified(verdict, claim)
    elif verdict.verdict == "INVALID":
        lead = _lead(verdict)
        text = "nothing can be concluded, because " + (
            clause(lead, claim) if lead else "the rows cannot be compared or the instrument does not measure"
        )
    else:
        text = _inconclusive(verdict, claim)
    return f"{verdict.verdict}: {text}."
