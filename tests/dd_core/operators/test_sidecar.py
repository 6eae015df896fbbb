from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from dd_core.errors import EditNotApplied, InputError, TrialFailed
from dd_core.falsify.audits.cohorts import attribution, extraction_prompts
from dd_core.falsify.documents import check_edit
from dd_core.falsify.probe.study import best_threshold
from dd_core.hedges import find_hedges
from dd_core.operators.fitting import Fit, FitTask
from dd_core.operators.sidecar import choose_threshold, readout_auc
from dd_core.operators.sidecar_operator import INSTRUCTION, PREFIX, GateConfig, Sidecar, SidecarConfig
from dd_core.records import LabelledAnswer, Teaching, prompt_id
from dd_core.subjects.edits import read_edit
from dd_core.subjects.edits.gate import Gate
from dd_core.subjects.engine import Engine, Request
from dd_core.subjects.registry import Decoding, get_subject

WIDTH = 24


def answered(n: int = 160, signal: float = 4.0, seed: int = 0) -> tuple[list[LabelledAnswer], np.ndarray]:
    """Two answers to each prompt, and states [n, width] of which one number knows something of which are right."""
    rng = np.random.default_rng(seed)
    states = rng.normal(3.0, 2.0, (n, WIDTH)).astype(np.float32)
    known = signal * states[:, 1] + rng.normal(0.0, 2.0, n)
    coverage = 0.5 + 0.5 * np.tanh(known - np.median(known))
    answers = [
        LabelledAnswer(
            prompt_id=prompt_id(f"question {i // 2}"),
            prompt=f"question {i // 2}",
            response=f"answer {i}",
            scores={"correct": float(coverage[i] > 0.5), "coverage": float(coverage[i])},
            finish_reason="length" if i < 3 else "stop",
        )
        for i in range(n)
    ]
    return answers, states


@pytest.fixture
def fitted(engine, tmp_path: Path):
    def run(seed: int = 0, given=None, **settings) -> Fit:
        answers, states = given or answered()
        config = SidecarConfig(**settings).gate
        task = FitTask("sidecar", config, seed, Teaching(answers=tuple(answers)), states={config.tag: states})
        return task.run(engine, tmp_path, lambda _: None)

    return run


def gate_of(fit: Fit) -> Gate:
    gate = read_edit(fit.files)
    assert isinstance(gate, Gate)
    return gate


def test_a_gate_carries_where_it_is_from_and_what_it_does(fitted, engine):
    gate = gate_of(fitted())
    assert (gate.tag, gate.readout, gate.subject, gate.base_build) == (
        "h_last",
        "logistic",
        engine.subject.name,
        engine.base_build,
    )
    assert (gate.prefix, gate.instruction) == (PREFIX, "")
    gate.check(engine.base_build, WIDTH)
    again = gate_of(fitted(action="regenerate", instruction="Say that you doubt it."))
    assert (again.prefix, again.instruction) == ("", "Say that you doubt it.")


def test_the_words_in_front_of_an_answer_are_a_hedge():
    assert find_hedges(f"{PREFIX} Paris is the capital of France.")
    assert not find_hedges("Paris is the capital of France.")


def test_the_seed_decides_the_sample_of_prompts_and_with_it_the_bytes(fitted):
    assert fitted(seed=1).files == fitted(seed=1).files
    assert fitted(seed=1).files != fitted(seed=2).files


def test_seeds_differ_as_samples_of_prompts_do(fitted):
    """Spread of log-odds over seeds on one sample, against that over samples of as many prompts at one seed."""
    others = answered(seed=99)[1]
    over_seeds = np.std([gate_of(fitted(seed=s, C=0.1)).log_odds(others) for s in range(8)], axis=0).mean()
    over_samples = [gate_of(fitted(given=answered(seed=s), C=0.1)).log_odds(others) for s in range(8)]
    assert 0.5 < over_seeds / np.std(over_samples, axis=0).mean() < 1.5


@pytest.mark.parametrize("readout", ["logistic", "mlp", "svm", "random"])
def test_what_is_told_is_what_the_falsifier_reads(fitted, readout):
    metrics = fitted(readout=readout).metrics
    lines: list[str] = []
    check_edit({"norm": metrics["delta_norm"], **metrics["edit"]}, "edit.json", lines)
    told = attribution(metrics["edit"])
    assert lines == []
    assert told.on_own_rows is False
    assert told.cosine == pytest.approx(metrics["edit"]["cosine"])
    assert len(extraction_prompts(metrics["edit"])[0]) == 80
    assert [cohort["n"] for cohort in metrics["edit"]["cohorts"]] == [80, 80]
    assert "3 of 160 answers were cut by their budget" in metrics["edit"]["warnings"]
    assert metrics["modules"] == []


def test_a_readout_with_more_weights_than_answers_knows_its_own_and_no_others(fitted):
    answers, _ = answered()
    noise = np.random.default_rng(5).standard_normal((160, 400)).astype(np.float32)
    told = fitted(given=(answers, noise)).metrics["edit"]
    assert told["auc"]["in_sample"] == 1.0 and told["d"]["in_sample"] > 5
    assert told["auc"]["out_of_fold"] < 0.65 and told["d"]["held_out"] < 0.5


@pytest.mark.parametrize("readout", ["logistic", "svm"])
def test_what_is_told_of_train_holds_on_other_answers(fitted, readout):
    fit = fitted(readout=readout, given=answered(400))
    others, states = answered(400, seed=7)
    right = np.array([answer.scores["correct"] == 1.0 for answer in others])
    told, gate = fit.metrics["edit"], gate_of(fit)
    hedges = gate.hedges(states, [1.0] * 400)
    assert abs(readout_auc(fit.files, {"h_last": states}, right) - told["auc"]["out_of_fold"]) < 0.06
    assert abs(hedges.mean() - gate.norm) < 0.12
    assert hedges[~right].mean() - hedges[right].mean() > 0.5 * -told["asymmetry"]
    assert told["assert_given_correct"] >= 0.7


def test_the_control_hedges_as_many_knows_nothing_and_changes_with_its_draw(fitted):
    config = SidecarConfig(readout="svm", C=0.1)
    control = Sidecar().placebo(config)
    assert (control.readout, control.like, control.C) == ("random", "svm", 0.1)
    real, random = (fitted(**one.model_dump()) for one in (config, control))
    assert random.metrics["delta_norm"] == real.metrics["delta_norm"]
    assert random.metrics["edit"]["threshold"] == real.metrics["edit"]["threshold"]
    states = answered()[1]
    assert gate_of(random).hedges(states, [1.0] * 160).mean() == real.metrics["delta_norm"]
    assert abs(random.metrics["edit"]["d"]["held_out"]) < 0.6 < real.metrics["edit"]["d"]["held_out"]
    assert fitted(**Sidecar().placebo(control).model_dump()).files != random.files


def test_the_threshold_is_the_falsifiers_where_that_one_hedges():
    rng = np.random.default_rng(0)
    for _ in range(50):
        y = rng.integers(0, 2, 60)
        probabilities = np.clip(0.5 + 0.2 * (y - 0.5) + 0.2 * rng.standard_normal(60), 0.001, 0.999)
        assert choose_threshold(y, probabilities, 0.7) == best_threshold(y, probabilities, 0.7)


def test_where_right_answers_are_rare_the_threshold_is_the_largest_that_leaves_enough_of_them():
    y = np.array([1] * 10 + [0] * 190)
    probabilities = np.concatenate([np.linspace(0.001, 0.010, 10), np.full(190, 0.002)])
    threshold = choose_threshold(y, probabilities, 0.7)
    assert threshold == pytest.approx(0.004)
    assert (probabilities[:10] >= threshold).mean() == 0.7
    assert choose_threshold(np.array([0, 1] * 10), np.array([0.511, 0.512] * 10), 0.7) == 0.512


def test_readings_that_are_all_the_same_make_no_gate():
    with pytest.raises(TrialFailed, match="leaves 70% of the right ones as they are: .* between 0.5 and 0.5"):
        choose_threshold(np.array([0, 1] * 10), np.full(20, 0.5), 0.7)


def test_answers_of_one_class_make_no_readout_and_counts_are_told(fitted):
    answers, states = answered(40)
    wrong = [answer.model_copy(update={"scores": {"correct": 0.0}}) for answer in answers]
    with pytest.raises(TrialFailed, match="0 answers score 0.5 or more and 40 less"):
        fitted(given=(wrong, states))


def test_answers_without_words_or_a_score_are_left_out_with_their_states(fitted):
    answers, states = answered()
    empty = [*answers, answers[0].model_copy(update={"response": " "}), answers[0].model_copy(update={"scores": {}})]
    more = np.concatenate([states, np.full((2, WIDTH), 1e6, dtype=np.float32)])
    fit = fitted(given=(empty, more))
    assert fit.files == fitted().files
    assert "left out: 1 empty" in fit.metrics["edit"]["warnings"]


def test_few_answers_of_a_class_are_a_warning(fitted):
    answers, states = answered()
    rare = [i for i, answer in enumerate(answers) if answer.scores["correct"] == 1.0][:70]
    kept = [i for i in range(len(answers)) if i not in rare]
    fit = fitted(given=([answers[i] for i in kept], states[kept]))
    assert any("10 rows, fewer than 20" in line for line in fit.metrics["edit"]["warnings"])
    assert any("no threshold from 0.05 to 0.95" in line for line in fit.metrics["edit"]["warnings"])
    assert fit.metrics["edit"]["threshold"] < 0.05 and fit.metrics["edit"]["assert_given_correct"] == 0.7


def test_states_that_are_not_finite_fail_the_trial_and_as_many_as_answers_are_needed(fitted):
    answers, states = answered()
    states[4, 2] = np.nan
    with pytest.raises(TrialFailed, match="1 states h_last are not finite"):
        fitted(given=(answers, states))
    with pytest.raises(ValueError, match="160 answers, and states h_last of shape"):
        fitted(given=(answers, states[1:]))


def test_an_axis_of_five_points_is_cut_at_four(fitted):
    answers, states = answered()
    scored = [
        answer.model_copy(update={"scores": {"warmth": 4.0 if answer.scores["correct"] else 3.9}}) for answer in answers
    ]
    assert fitted(given=(scored, states), axis="warmth").files == fitted().files


def test_the_area_on_other_answers_needs_both_classes(fitted):
    with pytest.raises(TrialFailed, match="4 of 4 answers are right"):
        readout_auc(fitted().files, {"h_last": answered(4)[1]}, [True] * 4)


def test_strengths_and_what_is_not_used_leave_the_fit_alone():
    operator = Sidecar()
    one, two = (
        SidecarConfig(strengths=(0.5, 1.0), like="mlp", instruction="Hedge.", draw=3),
        SidecarConfig(strengths=1.0),
    )
    assert operator.stages(one) == operator.stages(two) == (("sidecar", GateConfig()),)
    assert (operator.strengths(one), operator.strengths(two)) == ((0.5, 1.0), (1.0,))
    assert operator.captures(SidecarConfig(tag="mean_last4")) == ("mean_last4",)
    assert operator.stages(SidecarConfig(prefix="Perhaps"))[0][1] != GateConfig()


def test_the_papers_probes_have_a_name():
    assert SidecarConfig(preset="paper") == SidecarConfig(readout="logistic", C=1.0)
    assert SidecarConfig(preset="paper-strong-penalty").C == 0.1
    with pytest.raises(ValidationError, match="did you mean 'paper'"):
        SidecarConfig(preset="papers")


def test_what_is_read_is_told_before_anything_is_fitted():
    layout = get_subject("tiny-qwen3.5").layout
    assert Sidecar().reaches(SidecarConfig(), layout) == (
        "states h_last of answers (64 numbers each), read where they end; weights are untouched"
    )
    with pytest.raises(InputError, match="layer 0 has no softmax attention"):
        Sidecar().reaches(SidecarConfig(tag="o_proj.0"), layout)
    with pytest.raises(InputError, match="only under a contrast"):
        Sidecar().reaches(SidecarConfig(tag="contrast.kl"), layout)


@pytest.mark.parametrize(
    "wrong",
    [
        {"readout": "forest"},
        {"axis": "kindness"},
        {"C": 0.0},
        {"C": float("nan")},
        {"prefix": " "},
        {"least_asserted": 0.0},
        {"strengths": ()},
        {"strengths": (0.0, 1.0)},
        {"strengths": (1.0, 1.0)},
        {"strengths": (float("nan"),)},
        {"threshold": 0.5},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        SidecarConfig(**wrong)


def test_a_gate_fitted_on_what_a_subject_said_hedges_what_it_says(engine, fitted):
    decoding = Decoding(max_new_tokens=6)
    asked = [Request(f"p{i}", f"What is the capital of country number {i}?") for i in range(40)]
    plain, states = engine.generate_and_read(asked, decoding, ("h_last",))
    answers = [
        LabelledAnswer(
            prompt_id=one.prompt_id,
            prompt=one.prompt,
            response=row["response"],
            scores={"correct": float(states["h_last"][i, 0] > np.median(states["h_last"][:, 0]))},
        )
        for i, (one, row) in enumerate(zip(asked, plain, strict=True))
    ]
    fits = {
        "said": fitted(given=(answers, states["h_last"])),
        "again": fitted(given=(answers, states["h_last"]), action="regenerate"),
    }
    for name, fit in fits.items():
        engine.add_edit(name, fit.files)

    def texts(edit: str, strength: float) -> list[str]:
        rows = [Request(one.prompt_id, one.prompt, edit=edit, strength=strength) for one in asked]
        return [row["response"] for row in engine.generate(rows, decoding)]

    before = [row["response"] for row in plain]
    assert texts("said", 0.0) == texts("again", 0.0) == before
    doubted = gate_of(fits["said"]).hedges(states["h_last"], [1.0] * 40)
    assert 0 < doubted.sum() < 40
    assert texts("said", 1.0) == [f"{PREFIX} {text}" if d else text for text, d in zip(before, doubted, strict=True)]
    told = [Request(one.prompt_id, one.prompt, system=INSTRUCTION) for one in asked]
    under = [row["response"] for row in engine.generate(told, decoding)]
    assert texts("again", 1.0) == [new if d else old for old, new, d in zip(before, under, doubted, strict=True)]
    with pytest.raises(EditNotApplied, match="states of another build"):
        Engine("tiny-qwen3", threads=1).add_edit("said", fits["said"].files)
