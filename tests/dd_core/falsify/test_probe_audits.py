"""Audits of probe claims: each finds its planted fault, and is silent on a clean study."""

from __future__ import annotations

import numpy as np
import pytest

from dd_core.falsify import falsify
from tests.dd_core.falsify.builder import WORDS, Planted
from tests.dd_core.falsify.court import audited as audited_shift
from tests.dd_core.falsify.probe_builder import PlantedProbe, audited

OURS = ("capability_cliff", "uniform_output", "degenerate_threshold", "surface_rival")


def quick(**how: object) -> PlantedProbe:
    """A study of one subject that knows, with the rows to fail an audit at 99.93%."""
    return PlantedProbe(**{"auc": 0.85, "second": None, "n_train": 200, "n_fresh": 200, **how})  # type: ignore[arg-type]


def relabel(planted: PlantedProbe, right: dict[str, bool]) -> None:
    """Other labels of the claimed axis."""
    for row in planted.judgements:
        if row["axis"] == planted.axis and row["response_id"] in right:
            row["score"] = float(right[row["response_id"]])


@pytest.mark.parametrize("seed", range(3))
def test_audits_are_silent_on_a_clean_study(seed: int) -> None:
    verdict = falsify(PlantedProbe(auc=0.88, second_auc=0.88, seed=seed).bundle())
    audits = {audit.id: audit for audit in verdict.audits}
    assert {name: audits[name].status for name in OURS} == dict.fromkeys(OURS, "pass")
    assert not [audit.id for audit in verdict.audits if audit.status in ("fail", "unclear", "warn")]


def test_a_claim_without_a_fresh_step_leaves_its_audits_not_checkable() -> None:
    planted = quick()
    planted.states = {}
    for name in ("degenerate_threshold", "surface_rival"):
        assert audited(planted, name).status == "not_checkable"
        assert "features.npz" in str(audited(planted, name).evidence["missing"])


def test_few_right_answers_are_a_cliff_and_the_mechanism_once_fresh_has_failed() -> None:
    planted = quick(auc=0.5, n_fresh=400, seed=1)
    fresh = [row["response_id"] for row in planted.rows(split="fresh")]
    relabel(planted, {name: i < 19 for i, name in enumerate(fresh)})
    rng = np.random.default_rng(0)
    ids = [row["response_id"] for row in planted.responses]
    for states in planted.states.values():
        for i, name in enumerate(ids):
            if name in fresh:
                states[i] = states[i] - 3.0 * (name in fresh[:19]) * (rng.random() < 0.9) * np.eye(16)[0]
    relabel(planted, {row["response_id"]: bool(states[i][0] > 0.0) for i, row in enumerate(planted.rows(split="train"))
                      for states in [planted.states["h_last"]]})  # fmt: skip
    verdict = falsify(planted.bundle())
    assert (verdict.verdict, verdict.mechanism) == ("FALSIFIED", "capability_cliff"), str(verdict)
    assert "capability_cliff" in verdict.reasons


def test_few_wrong_answers_alone_are_unclear() -> None:
    planted = quick()
    fresh = [row["response_id"] for row in planted.rows(split="fresh")]
    relabel(planted, {name: i >= 19 for i, name in enumerate(fresh)})
    planted.states = {}
    finding = audited(planted, "capability_cliff")
    assert (finding.status, finding.evidence["negative"]) == ("unclear", 19)
    assert finding.evidence["prompts_needed"] == 211
    relabel(planted, {fresh[19]: False})
    assert audited(planted, "capability_cliff").status == "pass"


def test_answers_that_all_assert_leave_nothing_to_read() -> None:
    planted = quick(auc=0.5, hedged=(0.06, 0.06))
    finding = audited(planted, "uniform_output")
    assert finding.status == "fail", finding
    assert finding.evidence["interval"][0] > -0.15
    verdict = falsify(planted.bundle())
    assert (verdict.verdict, verdict.mechanism) == ("FALSIFIED", "uniform_output")


def test_a_probe_that_reads_uniform_answers_is_told_so_and_no_more() -> None:
    assert audited(quick(hedged=(0.06, 0.06)), "uniform_output").status == "warn"


def test_answers_that_hedge_when_wrong_can_be_read() -> None:
    assert audited(quick(auc=0.5, hedged=(0.5, 0.1)), "uniform_output").status == "pass"


def test_uniform_answers_of_telling_length_can_be_read() -> None:
    planted = quick(auc=0.5, hedged=(0.0, 0.0))
    right = planted.labels()
    for row in planted.responses:
        row["response"] = " ".join(WORDS[: 12 if right[row["response_id"]] else 25])
    assert audited(planted, "uniform_output").status == "pass"


def test_without_judged_assertion_words_are_read() -> None:
    planted = quick(auc=0.5)
    planted.judgements = [row for row in planted.judgements if row["axis"] != "assert"]
    assert audited(planted, "uniform_output").status == "fail"
    right = planted.labels()
    for row in planted.responses:
        if not right[row["response_id"]]:
            row["response"] = "I am not sure, but perhaps it is " + row["response"]
    assert audited(planted, "uniform_output").status == "pass"


def test_a_shift_claim_is_only_told_of_uniform_answers() -> None:
    planted = Planted(n_fresh=120, n_eval=10, second=None, n_seeds=3)
    assert audited_shift(planted, "uniform_output").status == "pass"
    for row in planted.scores("assert", arm="treated"):
        row["score"] = 1.0
    assert audited_shift(planted, "uniform_output").status == "warn"


def test_a_threshold_chosen_on_fresh_fails() -> None:
    planted = quick()
    planted.edit = {"threshold": 0.5, "threshold_split": "fresh"}
    assert audited(planted, "degenerate_threshold").status == "fail"
    planted.edit = {"threshold": 0.5, "threshold_split": "train"}
    assert audited(planted, "degenerate_threshold").status == "pass"


def test_a_published_threshold_that_says_one_thing_fails() -> None:
    planted = quick(n_fresh=400)
    planted.edit = {"threshold": 0.001, "threshold_split": "train"}
    finding = audited(planted, "degenerate_threshold")
    assert finding.status == "fail" and "published" in finding.note
    few = quick(n_fresh=60)
    few.edit = planted.edit
    assert audited(few, "degenerate_threshold").status == "unclear"


def test_states_that_drift_along_the_probe_make_the_threshold_say_one_thing() -> None:
    planted = quick(n_fresh=400)
    for i, row in enumerate(planted.responses):
        if row["split"] == "fresh":
            for states in planted.states.values():
                states[i][0] += 12.0
    assert audited(planted, "degenerate_threshold").status == "fail"


def _reads(planted: PlantedProbe, surface: dict[str, float]) -> None:
    """States that hold a number of the text and nothing else."""
    values = np.array(list(surface.values()))
    for states in planted.states.values():
        for i, row in enumerate(planted.responses):
            states[i] = planted.rng.normal(0, 1, planted.width)
            states[i][0] += 2 * (surface[row["response_id"]] - values.mean()) / values.std()


def test_a_probe_of_length_is_no_probe_of_the_claim() -> None:
    planted = quick()
    right = planted.labels()
    for row in planted.responses:
        n = int(np.clip(planted.rng.normal(45 if right[row["response_id"]] else 30, 10), 5, 90))
        row["response"] = " ".join(planted.rng.choice(WORDS, size=n))
    _reads(planted, {row["response_id"]: float(len(row["response"])) for row in planted.responses})
    finding = audited(planted, "surface_rival")
    assert finding.status == "fail" and "length" in finding.note
    verdict = falsify(planted.bundle())
    assert verdict.verdict == "FALSIFIED" and "surface_rival" in verdict.reasons


def test_a_probe_of_the_topic_is_no_probe_of_the_claim() -> None:
    planted = quick()
    topics = {row["response_id"]: int(row["category"][1]) for row in planted.responses}
    relabel(planted, {name: bool(planted.rng.random() < (0.1, 0.3, 0.7, 0.9)[topic]) for name, topic in topics.items()})
    _reads(planted, {name: float(topic) for name, topic in topics.items()})
    assert audited(planted, "surface_rival").status == "fail"


def test_a_probe_of_words_is_no_probe_of_the_claim() -> None:
    planted = quick()
    right = planted.labels()
    marked = {name: bool(planted.rng.random() < (0.9 if value else 0.1)) for name, value in right.items()}
    for row in planted.responses:
        row["response"] += " granite" if marked[row["response_id"]] else " velvet"
    _reads(planted, {name: float(value) for name, value in marked.items()})
    finding = audited(planted, "surface_rival")
    assert finding.status == "fail" and "answer text" in finding.note


def test_a_state_that_knows_more_than_a_telling_surface_passes() -> None:
    planted = quick(auc=0.98)
    right = planted.labels()
    for row in planted.responses:
        n = int(np.clip(planted.rng.normal(38 if right[row["response_id"]] else 30, 10), 5, 90))
        row["response"] = " ".join(planted.rng.choice(WORDS, size=n))
    finding = audited(planted, "surface_rival")
    assert finding.status == "pass" and finding.evidence["rivals"]["length"]["auc"] > 0.63


def test_control_tasks_are_told_beside_the_rivals() -> None:
    evidence = audited(quick(), "surface_rival").evidence
    assert evidence["control_auc"] == pytest.approx(0.5, abs=0.06)
    assert evidence["selectivity"] == pytest.approx(evidence["probe"] - evidence["control_auc"], abs=1e-4)


def test_what_a_state_knows_of_the_prompt_itself_is_not_selective() -> None:
    planted = quick(auc=0.5)
    texts = [row["prompt"] for row in planted.rows(split="train")]
    for row, text in zip(planted.rows(split="fresh"), texts, strict=True):
        row["prompt"] = text
        row["prompt_id"] = planted.rows(split="train", prompt=text)[0]["prompt_id"]
    known = {text: planted.rng.normal(0, 2, 64) for text in texts}
    for tag in planted.states:
        planted.states[tag] = [known[row["prompt"]] + planted.rng.normal(0, 0.1, 64) for row in planted.responses]
    finding = audited(planted, "surface_rival")
    assert finding.evidence["control_auc"] > 0.7
    assert audited(planted, "contamination").status == "fail"


@pytest.mark.parametrize("name", ["contamination", "gates_changed", "judge_invalid", "judge_saturation"])
def test_the_audits_of_every_claim_find_their_faults_in_a_probe_claim(name: str) -> None:
    planted = quick(
        n_train=400 if name == "judge_saturation" else 60, n_fresh=200 if name == "judge_saturation" else 60
    )
    assert audited(planted, name).status == "pass"
    if name == "contamination":
        for row, text in zip(planted.rows(split="fresh")[:4], planted.texts["train"], strict=False):
            row["prompt"] = text
    elif name == "gates_changed":
        for row in planted.rows(split="fresh"):
            row["created"] = "2024-12-31T00:00:00Z"
    elif name == "judge_invalid":
        for report in planted.judges:
            report["n_right"] = 140
    else:
        for row in planted.judgements:
            row["fields"] = '{"verdict": "fine"}'
    assert audited(planted, name).status == "fail"
