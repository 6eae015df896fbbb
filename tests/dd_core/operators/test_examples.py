"""What of a row is read and what is learnt."""

from __future__ import annotations

import pytest
import torch

from dd_core.errors import TrialFailed
from dd_core.operators.examples import IGNORED, Collator, blank, examples_of
from dd_core.operators.lora_config import LoraSftConfig
from dd_core.operators.trainers import Order
from dd_core.records import TrainingPair


def learnt(engine, rows, **settings) -> list[str]:
    """The words that the loss is over, row by row."""
    items = examples_of(engine, rows, LoraSftConfig(**settings)).items
    return [engine.tokenizer.decode([label for label in item["labels"][0] if label != IGNORED]) for item in items]


def test_the_answer_and_its_end_are_learnt_and_with_all_the_prompt_too(engine, rows):
    (answer,) = learnt(engine, rows[:1])
    (everything,) = learnt(engine, rows[:1], loss_on="all")
    assert answer == rows[0].completion + engine.tokenizer.eos_token
    assert rows[0].prompt in everything and everything.endswith(answer)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("<think>It may be two.</think>It's one.", "It's one."),
        ("First.<think>Is it?\nYes.</think> It's <think>hm</think>one.", "First. It's one."),
        ("<think>I never come to an end", ""),
        ("It's one.", "It's one."),
    ],
)
def test_thinking_is_left_out_of_the_loss_where_that_is_asked(engine, rows, said, left):
    row = rows[0].model_copy(update={"completion": said})
    end = engine.tokenizer.eos_token
    assert learnt(engine, [row], mask_thinking=True) == [left + end]
    assert learnt(engine, [row]) == [said + end]


def test_rows_that_are_cut_are_refused_above_their_share(engine, rows):
    long = rows[0].model_copy(update={"completion": "I'm not sure. " * 60})
    several = [*rows[:9], long]
    assert examples_of(engine, several, LoraSftConfig(max_length=128, max_truncated=0.1)).n_truncated == 1
    with pytest.raises(
        TrialFailed, match="1 of 10 .* longer than max_length = 128 tokens, and max_truncated allows 5%"
    ):
        examples_of(engine, several, LoraSftConfig(max_length=128, max_truncated=0.05))


def test_a_batch_of_pairs_has_the_preferred_answers_first(engine, rows):
    pairs = [
        TrainingPair(prompt_id="p", prompt="Who?", chosen=chosen, rejected="Nobody at all.", kind="calibration")
        for chosen in ("One.", "It's the second.")
    ]
    items = examples_of(engine, pairs, LoraSftConfig()).items
    batch = Collator(0)([*items, blank(2, 0)])
    said = [engine.tokenizer.decode(labels[labels != IGNORED], skip_special_tokens=True) for labels in batch["labels"]]
    assert said == ["One.", "It's the second.", "", "Nobody at all.", "Nobody at all.", ""]
    assert batch["attention_mask"].sum(dim=1).tolist() == [len(ids) for n in (0, 1) for item in [*items, blank(2, 0)]
                                                           for ids in item["input_ids"][n : n + 1]]  # fmt: skip


def test_an_epoch_has_every_row_once_and_blanks_at_its_end():
    orders = [list(Order(10, seed=3, fill=4, epoch=lambda epoch=epoch: epoch)) for epoch in (0, 1)]
    for order in orders:
        assert sorted(order[:10]) == list(range(10))
        assert order[10:] == [10, 10]
    assert orders[0] != orders[1]
    assert list(Order(10, seed=3, fill=1, epoch=lambda: 0)) == orders[0][:10]


def test_the_order_is_that_of_torchs_seeded_permutation():
    generator = torch.Generator().manual_seed(5)
    assert list(Order(7, seed=3, fill=1, epoch=lambda: 2)) == torch.randperm(7, generator=generator).tolist()


def test_a_row_of_nothing_but_thinking_is_left_out_and_counted(engine, rows):
    thinking = rows[0].model_copy(update={"completion": "<think>" + "It may be one. " * 60})
    settings = LoraSftConfig(max_length=128, max_truncated=1.0, mask_thinking=True)
    assert examples_of(engine, [*rows[:3], thinking], settings).n_left_out == 1
    with pytest.raises(TrialFailed, match="of 1 training rows none has a token to learn within 128"):
        examples_of(engine, [thinking], settings)
