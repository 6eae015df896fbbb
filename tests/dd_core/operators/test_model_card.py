from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from dd_core.operators.model_card import Base, Facts, Origin, covered, is_unedited, page, ranges, sparkline, uncovered

BASE = Base(
    "qwen3-0.6b", "Qwen/Qwen3-0.6B", "c1899de2", "Apache-2.0", {"model.safetensors": "f" * 64}, 4, (), "bfloat16"
)
ORIGIN = Origin(
    study="humble-1a2b3c4d", preregistration="sha256:" + "1" * 64, trial="treated-seed-1-00000000",
    trial_label="treated-seed-1", block="b" * 64, statement="SFT makes it hedge | more <b>", claim="assert decreases",
    disposition="humble", operator="lora_sft", settings={"lora_rank": 8, "learning_rate": 2e-4, "lora_alpha": None},
    train_seed=1, placebo=False, data="Its own answers.", prompt_set="2" * 64,
    progress="no verdict yet: 3 of 9 trials done",
    metrics={"losses": [4.0, 2.0, 1.0], "n_rows": 40, "n_truncated": 3, "n_steps": 3, "seconds": 12.5},
)  # fmt: skip
FACTS = Facts(
    "humble-1a2b3c4d treated-seed-1", BASE, 8, 16, 2.0,
    tuple(f"model.layers.{i}.self_attn.{name}_proj" for i in range(4) for name in "koqv"), 0.5, "a" * 64, origin=ORIGIN,
)  # fmt: skip
STEP = {"id": "fresh", "status": "fail", "estimate": 0.012, "ci": [-0.2, 0.3], "gate": 0.05, "n": 40, "note": "a | b"}
VERDICT = {"verdict": "FALSIFIED", "reasons": ["no_transfer"], "mechanism": "uniform_output", "steps": [STEP]}
MERGE = {
    "n_answers": 4, "n_equal": 3, "n_tokens": 80, "largest": 4e-5, "rms": 2e-6, "edit_largest": 3.0, "edit_rms": 0.4,
    "dtype": "float32", "bound": "no logit moves by more than 0.01", "prompts": "facts/eval", "same": True,
    "partings": [{"prompt_id": "p", "position": 4, "unmerged": " a`|", "merged": " b", "margin": 1e-5,
                  "difference": 3e-5, "near_tie": True}],
}  # fmt: skip


def front(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def test_the_front_matter_is_what_the_hub_reads():
    told = front(page(FACTS))
    assert told["base_model"] == "Qwen/Qwen3-0.6B" and told["library_name"] == "peft"
    assert told["license"] == "apache-2.0" and {"ddsweep", "lora", "humble"} <= set(told["tags"])


def test_a_base_that_is_not_on_the_hub_is_not_named_there_and_terms_keep_their_words():
    told = front(page(replace(FACTS, base=Base("gemma3-270m", licence="Gemma Terms of Use (https://x)"))))
    assert "base_model" not in told
    assert (told["license"], told["license_name"]) == ("other", "Gemma Terms of Use (https://x)")
    assert "license" not in front(page(Facts("x", Base("a stranger"), 4, 4, 1.0, (), 1.0, "a" * 64)))


def test_the_card_says_where_it_was_made_and_of_what():
    card = page(replace(FACTS, origin=replace(ORIGIN, data_card="sha256:" + "d" * 64, stages=("e" * 64,))))
    for word in (ORIGIN.study, ORIGIN.preregistration, ORIGIN.trial, ORIGIN.block, "sha256:" + "d" * 64, "e" * 64,
                 "3 (7.5%)", "`learning_rate` | 0.0002", "Loss 4 at the first of 3 steps, 1 at the last"):  # fmt: skip
        assert word in card, word
    assert "No verdict yet: 3 of 9 trials done" in card


def test_no_time_and_nothing_of_the_machine_is_in_a_card():
    slow = replace(ORIGIN, metrics={**ORIGIN.metrics, "seconds": 99.0, "peak_mb": 1.0})
    assert page(replace(FACTS, origin=slow)) == page(FACTS)


def test_a_verdict_is_told_with_its_reasons_and_steps():
    card = page(replace(FACTS, origin=replace(ORIGIN, verdict=VERDICT)))
    assert "**FALSIFIED** (`no_transfer`); mechanism: `uniform_output`" in card
    assert "| Fresh | prompts that nothing before had seen | fail | 0.012 | -0.2 to 0.3 | 0.05 | 40 | a \\| b |" in card
    assert "No verdict" not in card


def test_a_verdict_without_estimates_is_a_row_of_dashes():
    step = {"id": "axes", "status": "not_checkable", "estimate": None, "ci": None, "gate": None, "n": 0, "note": ""}
    card = page(replace(FACTS, origin=replace(ORIGIN, verdict={**VERDICT, "steps": [step], "mechanism": None})))
    assert "| Axes | every axis in scope | not checkable | - | - | - | 0 |  |" in card


def test_a_placebo_says_that_it_is_one():
    card = page(replace(FACTS, origin=replace(ORIGIN, placebo=True)))
    assert "**This is a placebo**" in card and "placebo" in front(card)["tags"]
    assert "This is a placebo" not in page(FACTS)


def test_what_people_wrote_is_no_markup():
    card = page(FACTS)
    assert "hedge \\| more \\<b\\>" in card and "<b>" not in card


def test_a_changed_configuration_is_told():
    assert "`revision` in `adapter_config.json` speak" in page(
        replace(FACTS, changed=("base_model_name_or_path", "revision"))
    )


@pytest.mark.parametrize("changes", [{}, {"base": Base("tiny", licence="MIT")}, {"merge": MERGE}])
def test_the_code_that_loads_it_is_python(changes):
    facts = replace(FACTS, **changes)
    base = replace(facts.base, chat_template="{{ 'a\n\"b\"' }}", template_arguments={"enable_thinking": False})
    for code in page(replace(facts, base=base)).split("```python\n")[1:]:
        compile(code.split("```")[0], "card", "exec")


def test_a_merged_model_tells_what_merging_changed():
    card = page(replace(FACTS, merge=MERGE))
    assert front(card)["library_name"] == "transformers"
    assert "3 are the same token for token" in card and "no logit differs by more than 4.0e-05" in card
    assert "| `p` | 5 | `' a'/'` | `' b'` | 1.0e-05 | 3.0e-05 | a near tie |" in card


def test_an_adapter_from_elsewhere_says_that_nothing_is_known_of_it():
    card = page(Facts("x", Base("somebody/model"), 4, 4, 1.0, ("encoder.dense",), 1.0, "a" * 64))
    assert "comes from elsewhere" in card and "The licence of the base is not known here" in card
    assert "- encoder.dense" in card


def test_a_card_that_was_edited_is_no_longer_ours():
    card = page(FACTS)
    assert is_unedited(card)
    assert not is_unedited(card.replace("SFT makes", "SFT surely makes"))
    assert not is_unedited(card + "more\n")
    assert not is_unedited("# My card\n")


def test_covered_layers_are_told_in_compact_form():
    modules = [f"model.layers.{i}.self_attn.{name}_proj" for i in (0, 1, 2, 5) for name in "vq"]
    modules += ["model.layers.5.mlp.up_proj", "model.layers.3.linear_attn.out_proj", "lm_head"]
    assert covered(modules) == ["q, v of layers 0-2, 5", "up of layer 5", "out_proj of layer 3", "lm_head"]


def test_layers_that_are_left_out_are_told_with_the_reason():
    hybrid = replace(
        FACTS, base=replace(BASE, n_layers=4, without_softmax=(0, 1, 2)), modules=("m.3.self_attn.q_proj",)
    )
    assert uncovered(hybrid) == "Not covered: layers 0-2 of 0-3. They have no softmax attention."
    assert uncovered(replace(hybrid, base=replace(BASE, n_layers=5))) == "Not covered: layers 0-2, 4 of 0-4."
    assert uncovered(FACTS) == "No layer of the 4 is left out."
    assert "not known" in uncovered(replace(FACTS, base=Base("x")))


def test_ranges_and_bars():
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
    assert sparkline([3.0, 2.0, 1.0]) == "█▅▁"
    assert sparkline([1.0, 1.0]) == "▁▁" and sparkline([]) == ""
    assert len(sparkline([float(i) for i in range(1000)])) == 40
