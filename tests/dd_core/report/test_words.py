"""The sentence says what the verdict holds, in words that anyone can read."""

from __future__ import annotations

import pytest

from dd_core.falsify import Verdict
from dd_core.falsify.audits import AUDITS as REGISTERED
from dd_core.report import verdict_sentence, words
from dd_core.report.sentence import clause
from tests.dd_core.report import examples


@pytest.fixture(scope="module")
def bundle():
    return examples.bundle(n_fresh=4, n_eval=4)


def sentence(bundle, name: str, **changes) -> str:
    return verdict_sentence(examples.verdict(name, bundle, **changes), bundle.claim)


def test_the_sentence_begins_with_the_verdict_and_ends_with_a_full_stop(bundle):
    for name in ("SURVIVES", "FALSIFIED", "INCONCLUSIVE", "INVALID"):
        assert sentence(bundle, name).startswith(f"{name}: ")
        assert sentence(bundle, name).endswith(".") and "\n" not in sentence(bundle, name)


def test_an_effect_that_the_placebo_has_too_is_said_to_be_there_and_to_be_the_placebos(bundle):
    assert sentence(bundle, "FALSIFIED") == (
        "FALSIFIED: the treated model does hedge more, but an edit trained on shuffled data does as much (placebo)."
    )


def test_an_effect_that_is_not_there_is_not_said_to_be_there(bundle):
    flat = examples.steps(("within", "fail", 0.001, (-0.01, 0.02), ""), ("fresh", "fail", 0.002, (-0.01, 0.02), ""))
    text = sentence(
        bundle, "FALSIFIED", steps=flat, reasons=("no_within_signal", "no_transfer"), mechanism="none_found"
    )
    assert "does not hedge more" in text and "none" not in text


def test_a_gain_on_the_search_alone_is_told_from_one_that_carries_over(bundle):
    lost = (examples.GOOD[0], *examples.steps(("fresh", "fail", 0.01, (-0.02, 0.04), "")))
    text = sentence(bundle, "FALSIFIED", steps=lost, reasons=("no_transfer",), mechanism="none_found")
    assert "does hedge more on the prompts that the search saw, but fails on fresh ones" in text


def test_the_sentence_leads_with_the_reason_that_speaks_for_the_mechanism(bundle):
    text = sentence(bundle, "FALSIFIED", reasons=("no_transfer", "content_damage"), mechanism="content_damage")
    assert "costs more correct than the margin allows (content damage)" in text


def test_a_difference_of_the_other_sign_is_not_called_the_claimed_one(bundle):
    worse = examples.steps(("fresh", "unclear", -0.2, (-0.5, 0.1), ""))
    assert "does not hedge more" in sentence(bundle, "INCONCLUSIVE", steps=worse)


def test_inconclusive_counts_what_is_open_and_does_not_say_that_anything_failed(bundle):
    text = sentence(bundle, "INCONCLUSIVE")
    assert "3 steps (fresh, axes, variant) and 1 audit (truncation)" in text
    assert "1 step (replication) and 1 audit (judge view)" in text
    assert "fail" not in text


def test_invalid_says_why_nothing_can_be_concluded(bundle):
    assert sentence(bundle, "INVALID") == (
        "INVALID: nothing can be concluded, because prompts of the test are in the training data."
    )


def test_a_verdict_without_steps_audits_or_reasons_still_has_a_sentence(bundle):
    for name in ("SURVIVES", "FALSIFIED", "INCONCLUSIVE", "INVALID"):
        bare = Verdict(claim="c", verdict=name, steps=(), audits=(), readings={})
        assert verdict_sentence(bare, bundle.claim).startswith(f"{name}: ")
        assert words.readings_line(bare)


def test_every_audit_of_the_falsifier_has_a_clause_of_its_own(bundle):
    assert set(words.AUDITS) <= {entry.id for entry in REGISTERED}
    for name in words.AUDITS:
        assert "{" not in clause(name, bundle.claim)


def test_an_unknown_audit_is_named_rather_than_refused(bundle):
    text = sentence(bundle, "FALSIFIED", reasons=("later_{audit}",), mechanism="none_found")
    assert "the audit later {audit} fails" in text


def test_a_failing_variant_does_not_lend_certainty_to_an_unclear_fresh_step(bundle):
    failed = examples.steps(("fresh", "unclear", 0.1, (-0.1, 0.3), ""), ("variant", "fail", 0.0, (-0.02, 0.03), ""))
    text = sentence(bundle, "FALSIFIED", steps=failed, reasons=("variant_fails",), mechanism="none_found")
    assert "seems to hedge more on fresh prompts, but not at twice the token budget" in text


@pytest.mark.parametrize("kind", ["shift", "capability", "probe"])
def test_every_kind_of_claim_and_an_axis_of_ones_own_reads_as_a_sentence(bundle, kind):
    claimed = examples.claim(kind=kind, axis="empathy", direction="increase", axes={"empathy": {"min": 0, "max": 2}})
    text = verdict_sentence(examples.verdict("SURVIVES", bundle), claimed)
    assert ("the probe does read empathy" if kind == "probe" else "does score higher on empathy") in text


def test_prompts_and_seeds_are_told_as_alternatives(bundle):
    lines = words.needed_lines(examples.verdict("INCONCLUSIVE", bundle))
    assert (
        lines[0]
        == "More rows: about 1,210 prompts with the seeds there are, or about 8 seeds with the prompts there are"
    )
    assert lines[1:] == ["Record rows of a second subject", "Record n_chars_seen"]


def test_the_columns_of_one_table_are_asked_for_on_one_line(bundle):
    record = ["responses.decoding", "manifest.json", "judgements.n_chars", "responses.build"]
    lines = words.needed_lines(examples.verdict("INCONCLUSIVE", bundle, needed={"record": record}))
    assert lines == [
        "Record the columns of responses: decoding, build", "Record manifest.json", "Record judgements.n_chars"
    ]  # fmt: skip


def test_unknown_numbers_are_left_out_of_what_is_needed(bundle):
    needed = {"record": [], "prompts": None, "seeds": 8}
    lines = words.needed_lines(examples.verdict("INCONCLUSIVE", bundle, needed=needed))
    assert lines == ["More rows: about 8 seeds with the prompts there are"]
    assert words.needed_lines(examples.verdict("INCONCLUSIVE", bundle, needed=None)) == []


def test_what_hides_or_reorders_text_is_made_visible_and_the_rest_left_alone():
    assert words.visible("a\x00b\u202ec\x1b[31m\u200bd") == "a⟨U+0000⟩b⟨U+202E⟩c⟨U+001B⟩[31m⟨U+200B⟩d"
    for text in ("one\n\ttwo", "שלום", "👩\u200d🔬 café", "<b>&amp;\"'"):
        assert words.visible(text) == text


def test_numbers_have_a_true_minus_and_no_negative_zero():
    assert words.number(-0.25, signed=True) == "−0.250"
    assert words.number(0.25, signed=True) == "+0.250"
    assert words.number(-0.00001, signed=True) == "0.000"
    assert words.number(None) == words.number(float("nan")) == words.number(float("inf")) == "–"
