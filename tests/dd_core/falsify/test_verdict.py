"""How the verdict follows from steps and audits, and that nothing but the rows can change a byte of it."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dd_core.falsify import EXIT_STATUS, AuditResult, StepResult, Verdict, bundle_from_tables, falsify, save_bundle
from dd_core.falsify.audits import AUDITS
from dd_core.falsify.verdict import BY_FAILED_FRESH, MECHANISMS, PRECEDENCE, decide, read_as_published
from dd_core.records import JUDGEMENTS, RESPONSES
from tests.dd_core.falsify.builder import Planted

GROUPS = {"a": "A", "b": "B", "c": "C", "truncation": "C", "d": "D"}


def judged(
    steps: dict[str, str], audits: dict[str, str], required: set[str]
) -> tuple[str, tuple[str, ...], str | None]:
    return decide(
        [StepResult(id=name, status=status) for name, status in steps.items()],
        [AuditResult(id=name, status=status) for name, status in audits.items()],
        groups=GROUPS,
        required=required,
        step_reasons={"fresh": ("no_transfer",), "within": ("no_within_signal",)},
    )


@pytest.mark.parametrize(
    ("steps", "audits", "verdict"),
    [
        ({"fresh": "fail"}, {"a": "fail", "c": "fail"}, ("INVALID", ("a",), None)),
        ({"fresh": "pass"}, {"b": "fail"}, ("INVALID", ("b",), None)),
        ({"fresh": "fail"}, {"a": "unclear"}, ("FALSIFIED", ("no_transfer",), "none_found")),
        ({"fresh": "pass"}, {"truncation": "fail"}, ("FALSIFIED", ("truncation",), "truncation")),
        ({"fresh": "unclear"}, {"d": "fail"}, ("FALSIFIED", ("d",), "none_found")),
        ({"fresh": "unclear"}, {"a": "not_checkable"}, ("INCONCLUSIVE", ("fresh", "missing_provenance"), None)),
        ({"fresh": "pass"}, {"a": "unclear"}, ("INCONCLUSIVE", ("a",), None)),
        ({"fresh": "not_checkable"}, {"a": "pass"}, ("INCONCLUSIVE", ("missing_provenance",), None)),
        ({"fresh": "pass"}, {"a": "warn", "c": "not_applicable"}, ("SURVIVES", (), None)),
        ({"fresh": "pass"}, {"d": "not_checkable"}, ("SURVIVES", (), None)),
    ],
)
def test_the_first_that_holds_is_the_verdict(
    steps: dict[str, str], audits: dict[str, str], verdict: tuple[str, tuple[str, ...], str | None]
) -> None:
    assert judged(steps, audits, {"a", "b", "c", "truncation"}) == verdict


STEP_STATUSES = ("pass", "fail", "unclear", "not_checkable", "not_applicable")
AUDIT_STATUSES = (*STEP_STATUSES, "warn")
OPEN = ("unclear", "not_checkable")


def test_every_combination_of_a_step_and_one_audit_of_each_group_is_decided_by_the_order_of_precedence() -> None:
    steps = {status: [StepResult(id="fresh", status=status)] for status in STEP_STATUSES}
    audits = {(name, status): AuditResult(id=name, status=status) for name in "abcd" for status in AUDIT_STATUSES}
    subsets = [set(names) for n in range(5) for names in itertools.combinations("abcd", n)]
    for step, statuses, required in itertools.product(
        STEP_STATUSES, itertools.product(AUDIT_STATUSES, repeat=4), subsets
    ):
        of = dict(zip("abcd", statuses, strict=True))
        verdict, reasons, mechanism = decide(
            steps[step],
            [audits[item] for item in of.items()],
            groups=GROUPS,
            required=required,
            step_reasons={"fresh": ("no_transfer",)},
        )
        holds = {
            "INVALID": "fail" in (of["a"], of["b"]),
            "FALSIFIED": "fail" in (step, of["c"], of["d"]),
            "INCONCLUSIVE": step in OPEN or any(of[name] in OPEN for name in required),
            "SURVIVES": True,
        }
        assert verdict == next(name for name in PRECEDENCE if holds[name]), (step, of, required)
        assert (reasons == ()) == (verdict == "SURVIVES")
        assert (mechanism == "none_found") == (verdict == "FALSIFIED")


@given(
    steps=st.dictionaries(st.sampled_from(("within", "fresh", "axes", "variant", "replication")),
                          st.sampled_from(STEP_STATUSES)),
    audits=st.dictionaries(st.sampled_from([entry.id for entry in AUDITS]), st.sampled_from(AUDIT_STATUSES)),
)  # fmt: skip
def test_a_verdict_names_a_mechanism_only_for_what_failed_and_no_missing_evidence_survives(
    steps: dict[str, str], audits: dict[str, str]
) -> None:
    required = {entry.id for entry in AUDITS if entry.required}
    verdict, reasons, mechanism = decide(
        [StepResult(id=name, status=status) for name, status in steps.items()],
        [AuditResult(id=name, status=status) for name, status in audits.items()],
        groups={entry.id: entry.group for entry in AUDITS},
        required=required,
        step_reasons={name: (f"{name}_failed",) for name in steps},
    )
    failed = {name for name, status in audits.items() if status == "fail"}
    if mechanism not in (None, "none_found"):
        named = {name for name, said in MECHANISMS.items() if said == mechanism}
        assert named & (failed | set(BY_FAILED_FRESH))
        assert verdict in ("INVALID", "FALSIFIED")
    if verdict == "SURVIVES":
        assert set(steps.values()) <= {"pass", "not_applicable"}
        assert not failed
        assert all(audits[name] not in OPEN for name in required & set(audits))
    if verdict in ("INVALID", "FALSIFIED"):
        by_fresh = set(BY_FAILED_FRESH) if steps.get("fresh") == "fail" else set()
        assert set(reasons) <= failed | by_fresh | {f"{name}_failed" for name in steps}
    assert (mechanism is None) <= (verdict != "FALSIFIED")


def named(**audits: str) -> str | None:
    """The mechanism of a failed fresh step with these audits."""
    return decide(
        [StepResult(id="fresh", status="fail")],
        [AuditResult(id=name, status=status) for name, status in audits.items()],
        groups={entry.id: entry.group for entry in AUDITS},
        required=set(),
        step_reasons={"fresh": ("no_transfer",)},
    )[2]


def test_the_mechanism_is_the_cause_and_not_what_it_brought_about() -> None:
    assert named(truncation="fail", length_confound="fail", content_damage="fail") == "truncation"
    assert named(degeneration="fail", length_confound="fail") == "degeneration"
    assert named(no_specific_effect="fail", style_mimicry="fail") == "style_mimicry"
    assert named(selection_bias="fail", no_specific_effect="fail") == "placebo"
    assert named(seed_instability="fail", fragile="fail") == "none_found"


def test_too_few_right_answers_are_the_mechanism_once_the_fresh_step_failed() -> None:
    assert named(capability_cliff="unclear") == "capability_cliff"
    assert named(capability_cliff="pass") == "none_found"
    assert named(capability_cliff="unclear", uniform_output="fail") == "uniform_output"


@pytest.mark.parametrize(
    ("audit", "mechanism"),
    [
        ("judge_invalid", "judge"),
        ("judge_saturation", "judge"),
        ("judge_asymmetry", "judge"),
        ("contamination", "contamination"),
        ("edit_applied", "no_op"),
        ("decoding_mismatch", None),
        ("gates_changed", None),
        ("lost_rows", None),
    ],
)
def test_an_invalid_verdict_names_the_judge_contamination_or_an_edit_that_was_not_there(
    audit: str, mechanism: str | None
) -> None:
    assert named(**{audit: "fail"}) == mechanism


def test_every_mechanism_of_the_list_can_be_named_and_no_other() -> None:
    assert {*MECHANISMS.values(), "none_found"} == {
        "truncation", "uniform_output", "capability_cliff", "content_damage", "style_mimicry", "length", "format",
        "degeneration", "judge", "placebo", "selection", "contamination", "no_op", "none_found",
    }  # fmt: skip
    assert set(MECHANISMS) <= {entry.id for entry in AUDITS}


def test_point_estimates_alone_are_read_as_published() -> None:
    assert read_as_published({"within": True, "fresh": True, "variant": None}) == "SURVIVES"
    assert read_as_published({"within": True, "fresh": False}) == "FALSIFIED"
    assert read_as_published({"within": True, "fresh": None}) == "INCONCLUSIVE"


def test_a_real_effect_with_everything_recorded_survives() -> None:
    verdict = falsify(Planted().bundle())
    assert verdict.verdict == "SURVIVES", str(verdict)
    assert (verdict.reasons, verdict.mechanism, verdict.needed) == ((), None, None)
    assert verdict.readings == {"paper": "SURVIVES", "strict": "SURVIVES"}


def test_a_lucky_point_estimate_is_published_and_not_believed() -> None:
    verdict = falsify(Planted(effect=0.4, sd_seed=0.25, n_seeds=3, seed=3, n_fresh=20, n_eval=20).bundle())
    assert verdict.readings["paper"] == "SURVIVES"
    assert verdict.readings["strict"] == verdict.verdict != "SURVIVES"


def test_rows_made_elsewhere_without_provenance_are_inconclusive_not_invalid() -> None:
    planted = Planted(operator=None)
    optional = ("finish_reason", "decoding", "build", "base_build", "input_hash", "max_new_tokens", "created",
                "gold_prompt_id", "n_tokens", "temperature")  # fmt: skip
    responses = [{k: v for k, v in row.items() if k not in optional} for row in planted.responses]
    judgements = [
        {k: v for k, v in row.items() if k in ("response_id", "axis", "score", "judge")} for row in planted.judgements
    ]
    verdict = falsify(
        bundle_from_tables(
            planted.claim(), responses=RESPONSES.arrow(responses), judgements=JUDGEMENTS.arrow(judgements)
        )
    )
    assert verdict.verdict == "INCONCLUSIVE"
    assert "missing_provenance" in verdict.reasons
    assert verdict.needed is not None
    assert {"responses.finish_reason", "manifest.json", "judgements.judge_model"} <= set(verdict.needed["record"])
    assert verdict.preregistration is None


def test_row_order_changes_no_byte() -> None:
    planted = Planted()
    before = falsify(planted.bundle()).json_bytes()
    for rows in (planted.responses, planted.judgements, planted.prompts, planted.trials):
        random.Random(1).shuffle(rows)
    assert falsify(planted.bundle()).json_bytes() == before


def test_the_number_of_threads_changes_no_byte_and_nothing_heavy_is_imported(tmp_path: Path) -> None:
    bundle = Planted().bundle()
    save_bundle(bundle, tmp_path / "b")
    code = (
        "import sys; from dd_core.falsify import falsify, load_bundle; "
        "sys.stdout.buffer.write(falsify(load_bundle(sys.argv[1])).json_bytes()); "
        "heavy = {'ray', 'torch', 'transformers', 'boto3', 'botocore', 'requests', 'httpx', 'matplotlib'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    for threads in ("1", "2"):
        env = {**os.environ, "POLARS_MAX_THREADS": threads, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", code, tmp_path / "b"], env=env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout == falsify(bundle).json_bytes()


def test_the_bytes_are_ascii_json_without_time_or_path(tmp_path: Path) -> None:
    data = falsify(Planted(extra={"name": "naïve"}).bundle()).json_bytes()
    value = json.loads(data)
    assert data.isascii()
    assert Verdict.model_validate(value).json_bytes() == data
    assert value["format"] == "ddsweep-verdict/1"
    assert str(tmp_path) not in data.decode()
    assert value["preregistration"].startswith("sha256:")


def test_every_audit_of_the_list_is_answered_in_order() -> None:
    verdict = falsify(Planted().bundle())
    assert [audit.id for audit in verdict.audits] == [entry.id for entry in AUDITS]
    assert len(AUDITS) == 33
    assert all(audit.note for audit in verdict.audits)
    assert all(len(audit.rows) <= 3 for audit in verdict.audits)


def test_a_verdict_prints_its_steps_and_what_is_to_be_recorded() -> None:
    text = str(falsify(Planted(second=None).bundle()))
    assert text.startswith("planted: INCONCLUSIVE (missing_provenance)")
    assert "replication" in text
    assert "to record: rows of a second subject" in text


def test_every_outcome_has_its_exit_status() -> None:
    assert EXIT_STATUS == {"SURVIVES": 0, "FALSIFIED": 3, "INCONCLUSIVE": 4, "INVALID": 5}


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_prompts_give_a_verdict_and_no_traceback(n: int) -> None:
    verdict = falsify(Planted(n_fresh=n, n_eval=n, n_train=1).bundle())
    assert verdict.verdict in ("INCONCLUSIVE", "FALSIFIED")
    json.loads(verdict.json_bytes())


def test_a_bundle_with_baseline_rows_only_is_inconclusive() -> None:
    planted = Planted()
    planted.responses = planted.rows(arm="baseline")
    ids = {row["response_id"] for row in planted.responses}
    planted.judgements = [row for row in planted.judgements if row["response_id"] in ids]
    assert falsify(planted.bundle()).verdict == "INCONCLUSIVE"


def test_a_bundle_without_any_score_is_inconclusive_or_invalid() -> None:
    planted = Planted()
    for row in planted.judgements:
        row.update(score=None, status="error", error="timeout")
    assert falsify(planted.bundle()).verdict in ("INCONCLUSIVE", "INVALID")
