"""Every audit of the list has a bundle in which it must speak and one in which it must be silent.

What each says in detail is in test_comparable, test_instrument, test_meaning, test_inference and test_probe_audits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dd_core.falsify.audits import AUDITS
from tests.dd_core.falsify.builder import Planted
from tests.dd_core.falsify.court import all_audited, audited, large, middling
from tests.dd_core.falsify.faults import FAULTS, Fault

OF_PROBES = ("uniform_output", "capability_cliff", "degenerate_threshold", "surface_rival")
"""Audits whose bundles are probe claims: planted in test_probe_audits."""

SILENT = ("pass", "not_applicable")


def test_no_audit_is_without_a_planted_fault() -> None:
    assert {entry.id for entry in AUDITS} == FAULTS.keys() | set(OF_PROBES)
    probes = Path(__file__).with_name("test_probe_audits.py").read_text(encoding="utf-8")
    assert all(name in probes for name in OF_PROBES)


@pytest.mark.parametrize("name", list(FAULTS))
def test_the_planted_fault_is_found(name: str) -> None:
    fault: Fault = FAULTS[name]
    planted = fault.plant()
    audit = audited(planted, name)
    assert audit.status == fault.status, audit
    assert audit.note
    json.dumps(audit.evidence, allow_nan=False)


@pytest.mark.parametrize("name", list(FAULTS))
def test_a_clean_study_is_met_with_silence(name: str) -> None:
    audit = audited(FAULTS[name].clean(), name)
    assert audit.status in SILENT, audit


SHAPES: dict[str, Callable[[], Planted]] = {
    "a claimed decrease": lambda: middling(direction="decrease"),
    "tests that pass": lambda: capable("passed"),
    "answers that are correct": lambda: capable("correct"),
    "warmth, which has no marker": lambda: middling(axis="warmth"),
    "sampled answers at five seeds": lambda: sampled(middling()),
    "a panel of two judges": lambda: panel(middling()),
    "two passes of the judge": lambda: repeated(middling()),
    "a placebo of one seed": lambda: one_placebo(middling()),
    "no edit.json": lambda: without_edit(middling()),
    "a steering vector": lambda: attributed(middling(operator="steering")),
    "no operator": lambda: without_operator(middling(operator=None)),
    "lorem ipsum": lambda: lorem(middling()),
    "prompts of train among the responses alone": lambda: trained_on(middling()),
    "a large study": lambda: large(),
}


def capable(axis: str) -> Planted:
    """A capability claim; executed tests name no model and show no judge anything."""
    planted = middling(kind="capability", axis=axis, n_fresh=120)
    for row in planted.judgements:
        if row["axis"] == "passed":
            row.update(judge_model=None, n_chars=None, n_chars_seen=None)
    return planted


def sampled(planted: Planted) -> Planted:
    """Baseline answers at the decoding seeds of the treated ones."""
    for row in planted.responses:
        row.update(temperature=0.7, decoding="sampled", seed=row["train_seed"] or row["seed"])
    for row in planted.rows(arm="baseline", variant="main"):
        for seed in planted.train_seeds:
            name = f"{row['response_id']}s{seed}"
            planted.responses.append({**row, "response_id": name, "seed": seed, "response": planted._text(14)})
            planted.judgements += [
                {**judged, "response_id": name}
                for judged in planted.judgements
                if judged["response_id"] == row["response_id"]
            ]
    for row in planted.rows(arm="baseline", variant="double_budget"):
        row["seed"] = 1
    for row in planted.rows(arm="identity"):
        row["seed"] = 0
    return planted


def panel(planted: Planted) -> Planted:
    planted.judgements += [
        {**row, "judge": "judge-2", "score": row["score"] * 0.98 + 0.02} for row in planted.judgements
    ]
    planted.judges += [{**report, "judge": "judge-2"} for report in planted.judges]
    return planted


def repeated(planted: Planted) -> Planted:
    planted.judgements += [{**row, "repeat": 1} for row in planted.judgements]
    return planted


def one_placebo(planted: Planted) -> Planted:
    planted.drop([row for row in planted.rows(arm="placebo") if row["train_seed"] != 1])
    return planted


def without_edit(planted: Planted) -> Planted:
    planted.edit = {}
    return planted


def without_operator(planted: Planted) -> Planted:
    planted.drop(planted.rows(arm="identity") + planted.rows(arm="placebo"))
    planted.edit = {}
    return planted


def attributed(planted: Planted) -> Planted:
    planted.edit |= {
        "cohorts": [{"name": "sure", "n": 40}, {"name": "unsure", "n": 40}],
        "cosine": 0.31,
        "d": {"in_sample": 1.9, "held_out": 1.2},
    }
    return planted


def lorem(planted: Planted) -> Planted:
    text = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore"
    words = text.split()
    texts: dict[str, str] = {}
    for row in planted.responses:
        drawn = " ".join(planted.rng.choice(words, size=len(row["response"].split())))
        row["response"] = texts.setdefault(row["response"], f"{drawn} {planted.rng.integers(10**9)}")
    return planted


def trained_on(planted: Planted) -> Planted:
    """The training prompts stand among the responses, and in no table of their own."""
    for text in planted.texts["train"]:
        planted._response("small-135m", "train", "main", "baseline", None, text, "An answer.")
    planted.prompts = []
    return planted


@pytest.mark.parametrize("shape", list(SHAPES))
def test_clean_studies_of_every_shape_raise_no_alarm(shape: str) -> None:
    idle = {"weaker_than_prompt", "dose_response", "underpowered", *OF_PROBES}  # their arms are not in these studies
    if shape == "prompts of train among the responses alone":
        idle.add("split_shift")  # categories stand in the prompts' table
    found = all_audited(SHAPES[shape](), {entry.id for entry in AUDITS} - idle)
    loud = {name: (audit.status, audit.note) for name, audit in found.items() if audit.status not in (*SILENT, "warn")}
    assert loud == {}
