"""One planted fault for every audit of shift and capability claims, and a clean study beside it.

Each is planted in rows, reports or papers as someone who made that mistake would have left them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dd_core.dispositions import AXIS_RANGES
from tests.dd_core.falsify.builder import Planted
from tests.dd_core.falsify.court import large, small


@dataclass(frozen=True)
class Fault:
    """A study with a fault, the status that its audit must give, and a study in which it must be silent."""

    plant: Callable[[], Planted]
    status: str = "fail"
    clean: Callable[[], Planted] = small


def rows_of(how: Callable[[Planted], list[dict[str, Any]]], make: Callable[[], Planted] = small, **changes: Any):
    """A study in which some rows have these values."""

    def plant() -> Planted:
        planted = make()
        for row in how(planted):
            row.update(changes)
        return planted

    return plant


def changed(change: Callable[[Planted], object], make: Callable[[], Planted] = small) -> Callable[[], Planted]:
    """A study after `change`."""

    def plant() -> Planted:
        planted = make()
        change(planted)
        return planted

    return plant


def leaked(planted: Planted) -> None:
    planted.prompts += [
        {"prompt_id": f"leak {i}", "split": "train", "prompt": text, "category": "c", "generator": "g"}
        for i, text in enumerate(planted.texts["fresh"][:8])
    ]


def longer_questions(planted: Planted) -> None:
    for row in planted.rows(split="fresh"):
        row["prompt"] += " Think of everything that you have read about it, and take your time with the answer."


def never_applied(planted: Planted) -> None:
    texts = {(r["split"], r["variant"], r["prompt_id"]): r["response"] for r in planted.rows(arm="baseline")}
    for row in planted.rows(arm="treated"):
        row["response"] = texts[row["split"], row["variant"], row["prompt_id"]]


def moved_at_identity(planted: Planted) -> None:
    for row in planted.rows(arm="identity"):
        row["response"] += " indeed"
    for row in planted.scores(planted.axis, arm="identity"):
        row["score"] = min(5.0, row["score"] + 0.8)


def lowered_gate(planted: Planted) -> None:
    planted.manifest = planted.finished_manifest()
    planted.extra["gates"] = {"difference": 0.01}


def flipping(planted: Planted) -> None:
    again = [{**row, "repeat": 1} for row in planted.scores(planted.axis)]
    for row in again:
        row["score"] = 1.0 if row["score"] > 3 else 5.0
    planted.judgements += again


def lost_in_one_arm(planted: Planted) -> None:
    for row in planted.scores(planted.axis, arm="treated", split="fresh"):
        if planted.rng.random() < 0.5:
            row.update(score=None, status="error", error="timeout")


def seen_in_part(planted: Planted) -> None:
    for row in planted.scores(planted.axis, arm="treated"):
        if planted.rng.random() < 0.8:
            row["n_chars_seen"] = 40


def gained_on(planted: Planted, gain: float, share: float = 0.4) -> list[dict[str, Any]]:
    """Treated answers to a share of the prompts, whose scores rise by `gain`."""
    asked = {text for texts in planted.texts.values() for text in texts if planted.rng.random() < share}
    rows = [row for row in planted.rows(arm="treated") if row["prompt"] in asked]
    names = {row["response_id"] for row in rows}
    for row in planted.scores(planted.axis, arm="treated"):
        if row["response_id"] in names:
            row["score"] = min(5.0, row["score"] + gain)
    return rows


def gain_of(**texts: str) -> Callable[[Planted], None]:
    """A gain carried by answers with these values."""

    def change(planted: Planted) -> None:
        for row in gained_on(planted, 1.5):
            row.update(texts)

    return change


def paid_by_length(planted: Planted) -> None:
    for row in planted.rows(arm="treated"):
        row["response"] += " and so on" * 6
    length = {row["response_id"]: len(row["response"]) for row in planted.responses}
    for row in planted.scores(planted.axis):
        row["score"] = min(5.0, max(1.0, row["score"] + 1.2 * (length[row["response_id"]] - 90) / 100))


def paid_by_format(planted: Planted) -> None:
    for rows, gain in ((planted.rows(arm="treated"), 0.6), (planted.rows(arm="baseline", seed=2), 1.2)):
        names = {row["response_id"] for row in rows}
        for row in rows:
            row["response"] = "# Answer\n- one\n- two\n**three**"
        for row in planted.judgements:
            if row["axis"] == planted.axis and row["response_id"] in names:
                row["score"] = min(5.0, row["score"] + gain)


def hedged_everywhere(planted: Planted) -> None:
    for arm, rate in (("baseline", 1.0), ("treated", 0.1)):
        for row in planted.scores("assert", arm=arm):
            row["score"] = float(planted.rng.random() < rate)


def lucky_on_eval(planted: Planted) -> None:
    for row in planted.scores(planted.axis, arm="treated", split="eval"):
        row["score"] = min(5.0, row["score"] + 0.32)


def two_fits_against(planted: Planted) -> None:
    for seed in (1, 2):
        for row in planted.scores(planted.axis, arm="treated", train_seed=seed):
            row["score"] = max(1.0, row["score"] - 0.9)


def judged(planted: Planted) -> dict[str, list[dict[str, Any]]]:
    """Response id → its judgements, as they are now."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in planted.judgements:
        found.setdefault(row["response_id"], []).append(row)
    return found


def copied(planted: Planted, row: dict[str, Any], scores: list[dict[str, Any]], gain: float, **changes: Any) -> None:
    """A copy of a response with these changes, and of its judgements with its score on the axis changed by `gain`."""
    name = f"{row['response_id']}-{len(planted.responses)}"
    planted.responses.append({**row, "response_id": name, **changes})
    for one in scores:
        moved = one["score"] + (gain if one["axis"] == planted.axis else 0.0)
        low, high = AXIS_RANGES[one["axis"]]
        planted.judgements.append({**one, "response_id": name, "score": min(high, max(low, moved))})


def asked_twenty_times(planted: Planted) -> None:
    gains, scores = dict(zip(planted.texts["fresh"], (1.2, 0.7, -0.1), strict=True)), judged(planted)
    for row in planted.rows(split="fresh", variant="main"):
        gain = gains[row["prompt"]] if row["arm"] == "treated" else 0.0
        for copy in range(20):
            copied(planted, row, scores[row["response_id"]], gain, category=f"copy {copy}")


def attributed(planted: Planted, cosine: float = 0.31, **d: float) -> None:
    planted.edit |= {
        "cohorts": [{"name": "sure", "n": 40}, {"name": "unsure", "n": 40}],
        "cosine": cosine,
        "d": d or {"in_sample": 1.9, "held_out": 1.2},
    }


def steered() -> Planted:
    planted = small(operator="steering")
    attributed(planted)
    return planted


def half_dose(planted: Planted, gain: float) -> None:
    scores = judged(planted)
    for row in planted.rows(arm="treated", split="fresh", variant="main"):
        copied(planted, row, scores[row["response_id"]], gain, variant="dose", strength=0.5)


def seen_by_one_judge(planted: Planted) -> None:
    arm = {row["response_id"]: row["arm"] for row in planted.responses}
    for row in [dict(row) for row in planted.judgements]:
        treated = row["axis"] == planted.axis and arm[row["response_id"]] == "treated"
        score = max(1.0, row["score"] - 1.2) if treated else row["score"]
        planted.judgements.append({**row, "judge": "judge-2", "score": score})


def prompted(planted: Planted, gain: float) -> None:
    scores = judged(planted)
    for row in planted.rows(arm="baseline", split="fresh", variant="main"):
        copied(planted, row, scores[row["response_id"]], gain, arm="prompt_control", input_hash="with a system prompt")


def treated(planted: Planted) -> list[dict[str, Any]]:
    return planted.rows(arm="treated")


FAULTS: dict[str, Fault] = {
    "decoding_mismatch": Fault(rows_of(treated, temperature=0.7)),
    "judge_asymmetry": Fault(rows_of(lambda p: p.scores(p.axis, arm="treated"), judge="judge-2")),
    "prompt_mismatch": Fault(rows_of(treated, gold_prompt_id="another prompt")),
    "contamination": Fault(changed(leaked)),
    "split_shift": Fault(changed(longer_questions), "warn"),
    "edit_applied": Fault(changed(never_applied)),
    "identity_mismatch": Fault(changed(moved_at_identity)),
    "gates_changed": Fault(changed(lowered_gate)),
    "judge_invalid": Fault(changed(lambda p: p.judges[0].update(n_right=130))),
    "judge_saturation": Fault(rows_of(lambda p: p.scores(p.axis), fields='{"certainty": 0.9}')),
    "judge_noise": Fault(changed(flipping), "warn"),
    "judge_view": Fault(changed(seen_in_part)),
    "lost_rows": Fault(changed(lost_in_one_arm, lambda: small(n_fresh=80))),
    "truncation": Fault(changed(gain_of(finish_reason="length"), lambda: large(effect=-0.3))),
    "length_confound": Fault(changed(paid_by_length, lambda: large(effect=-0.3))),
    "format_confound": Fault(changed(paid_by_format, lambda: large(effect=-0.3))),
    "style_mimicry": Fault(changed(hedged_everywhere, large), clean=lambda: small(n_fresh=80)),
    "response_class": Fault(
        changed(gain_of(response="I'm sorry, but I cannot help with that."), lambda: large(effect=-0.3))
    ),
    "degeneration": Fault(changed(gain_of(response="I am not sure about that. " * 12), lambda: large(effect=-0.3))),
    "content_damage": Fault(lambda: large(anchor_effect=-0.8), clean=lambda: small(n_fresh=80)),
    "selection_bias": Fault(changed(lucky_on_eval, lambda: small(effect=0.0, searched=40, n_eval=20, n_fresh=120))),
    "seed_instability": Fault(changed(two_fits_against, lambda: small(effect=0.3, sd_seed=0.0, n_fresh=80))),
    "pseudo_replication": Fault(changed(asked_twenty_times, lambda: large(effect=0.0, n_fresh=3))),
    "collinear_cohorts": Fault(changed(lambda p: attributed(p, cosine=0.99), steered), clean=steered),
    "no_specific_effect": Fault(lambda: large(placebo=0.8)),
    "dose_response": Fault(changed(lambda p: half_dose(p, -1.8), large), clean=changed(lambda p: half_dose(p, -0.3))),
    "fragile": Fault(changed(seen_by_one_judge, lambda: large(effect=1.2))),
    "weaker_than_prompt": Fault(
        changed(lambda p: prompted(p, 2.0), lambda: small(n_fresh=80)), "warn", changed(lambda p: prompted(p, 0.1))
    ),
    "underpowered": Fault(lambda: small(effect=0.25, sd_seed=0.3, n_seeds=3), "unclear"),
}
"""Audit → its fault. Probe claims have theirs in test_probe_audits."""
