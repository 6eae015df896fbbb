"""Probe claims: a hidden state that knows passes, one that does not fails, and what is missing is named."""

from __future__ import annotations

import numpy as np
import pytest

from dd_core.claim import Claim
from dd_core.errors import InputError
from dd_core.falsify import Bundle, bundle_from_tables, falsify
from dd_core.records import JUDGEMENTS, RESPONSES, prompt_id

N_TRAIN, N_FRESH, N_FEATURES = 160, 120, 12


def probe_bundle(signal: float, *, transfers: bool = True, features: bool = True, seed: int = 0) -> Bundle:
    """Answers right half of the time; the first feature is higher by `signal` standard deviations where right."""
    rng = np.random.default_rng(seed)
    responses, judgements, states = [], [], []
    for split, n in (("train", N_TRAIN), ("fresh", N_FRESH)):
        for i in range(n):
            text, right = f"{split} question {i}", rng.random() < 0.5
            name = f"{split}{i:03d}"
            state = rng.normal(0, 1, N_FEATURES)
            state[0] += signal * right if split == "train" or transfers else 0.0
            states.append(state)
            responses.append(
                {"response_id": name, "arm": "baseline", "split": split, "subject": "s", "seed": 0,
                 "prompt_id": prompt_id(text), "prompt": text, "response": f"answer {i}"}
            )  # fmt: skip
            judgements.append({"response_id": name, "axis": "correct", "score": float(right), "judge": "checker"})
    ids = [str(row["response_id"]) for row in responses]
    return bundle_from_tables(
        Claim(name="p", statement="the state knows", kind="probe", axis="correct"),
        responses=RESPONSES.arrow(responses),
        judgements=JUDGEMENTS.arrow(judgements),
        features={"h_last": np.array(states, dtype=np.float32)} if features else None,
        feature_ids=ids if features else (),
    )


def test_a_state_that_knows_passes_within_and_fresh() -> None:
    steps = {step.id: step for step in falsify(probe_bundle(2.0)).steps}
    assert (steps["within"].status, steps["fresh"].status) == ("pass", "pass")
    assert steps["fresh"].estimate == pytest.approx(0.92, abs=0.1)
    assert "Asymmetry -" in steps["fresh"].note


def test_a_state_that_knows_on_train_alone_does_not_transfer() -> None:
    verdict = falsify(probe_bundle(2.0, transfers=False))
    assert verdict.verdict == "FALSIFIED"
    assert "no_transfer" in verdict.reasons
    assert {step.id: step.status for step in verdict.steps}["within"] == "pass"


def test_a_state_that_knows_nothing_passes_no_step() -> None:
    verdict = falsify(probe_bundle(0.0, seed=1))
    assert verdict.verdict == "FALSIFIED"
    assert "pass" not in {step.status for step in verdict.steps}


def test_a_probe_claim_without_features_is_not_checkable() -> None:
    verdict = falsify(probe_bundle(2.0, features=False))
    assert verdict.verdict == "INCONCLUSIVE"
    assert {step.status for step in verdict.steps} == {"not_checkable"}
    assert "features.npz" in verdict.steps[0].note


def test_what_this_edition_does_not_judge_keeps_a_probe_claim_from_surviving() -> None:
    verdict = falsify(probe_bundle(2.0))
    assert verdict.verdict == "INCONCLUSIVE"
    assert verdict.needed is not None
    assert any("surface_rival" in item for item in verdict.needed["record"])


def test_the_same_rows_give_the_same_bytes() -> None:
    assert falsify(probe_bundle(1.0)).json_bytes() == falsify(probe_bundle(1.0)).json_bytes()


def test_features_of_no_response_are_refused() -> None:
    bundle = probe_bundle(1.0)
    with pytest.raises(InputError, match="no such response"):
        bundle_from_tables(
            bundle.claim,
            responses=bundle.responses.head(10),
            judgements=bundle.judgements.head(10),
            features=bundle.features,
            feature_ids=bundle.feature_ids,
        )
