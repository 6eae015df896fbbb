from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save

from dd_core.errors import EditNotApplied, InputError
from dd_core.subjects import chat
from dd_core.subjects.engine import Engine, Request
from dd_core.subjects.formats import BLOCK_ROWS
from dd_core.subjects.registry import Decoding, get_subject

PLACES = [
    "France",
    "Spain",
    "a country far away in the south of the world",
    "Kenya",
    "Peru",
    "the moon",
    "Mali",
    "Chile",
]
PLAIN = [Request(f"p{i}", f"What is the capital of {place}?") for i, place in enumerate(PLACES)]
GREEDY = Decoding(max_new_tokens=16)
SAMPLED = Decoding(max_new_tokens=16, temperature=0.9, top_p=0.95, top_k=50)


def texts(rows: list[dict]) -> list[str]:
    return [row["response"] for row in rows]


def edited(requests: list[Request], edit: str, strength: float = 1.0) -> list[Request]:
    return [replace(request, edit=edit, strength=strength) for request in requests]


@pytest.fixture
def two_edits(engine, make_adapter):
    engine.add_edit("a", make_adapter(1))
    engine.add_edit("b", make_adapter(2, rank=2, modules=("o_proj", "up_proj")))
    yield engine
    engine.drop_edit("a")
    engine.drop_edit("b")


def test_a_mixed_batch_says_what_each_row_says_alone(two_edits):
    mixed = [
        *PLAIN[:3],
        *edited(PLAIN[:3], "a"),
        *edited(PLAIN[:3], "a", 0.4),
        *edited(PLAIN[:3], "b"),
        *edited(PLAIN[:3], "b", -1.5),
    ]
    together = two_edits.generate(mixed, GREEDY)
    alone = [two_edits.generate([request], GREEDY)[0] for request in mixed]
    assert together == alone
    assert len({tuple(texts(together[i : i + 3])) for i in range(0, 15, 3)}) == 5


def test_identity_strength_gives_the_baselines_texts_exactly(two_edits):
    identity = two_edits.generate(edited(PLAIN, "a", 0.0), GREEDY)
    assert texts(identity) == texts(two_edits.generate(PLAIN, GREEDY))
    assert texts(identity) != texts(two_edits.generate(edited(PLAIN, "a"), GREEDY))


def test_twice_the_strength_is_the_edit_of_twice_the_size(engine, make_adapter):
    files = make_adapter(1, b=0.2)
    weights = load(files["adapter_model.safetensors"])
    doubled = {name: 2 * tensor if "lora_B" in name else tensor for name, tensor in weights.items()}
    engine.add_edit("one", files)
    engine.add_edit("two", files | {"adapter_model.safetensors": save(doubled)})
    assert texts(engine.generate(edited(PLAIN, "one", 2.0), GREEDY)) == texts(
        engine.generate(edited(PLAIN, "two"), GREEDY)
    )
    assert engine.edits["two"].norm == pytest.approx(2 * engine.edits["one"].norm)


def test_generating_leaves_every_weight_bit_equal(two_edits):
    before = {name: tensor.clone() for name, tensor in two_edits.model.state_dict().items()}
    two_edits.generate([*PLAIN, *edited(PLAIN, "a")], GREEDY)
    after = two_edits.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_order_of_the_requests_changes_no_row(two_edits):
    requests = [*PLAIN, *edited(PLAIN, "b", 0.7)]
    rows = two_edits.generate(requests, GREEDY)
    assert two_edits.generate(requests[::-1], GREEDY) == rows[::-1]


def test_sampled_rows_do_not_change_with_their_neighbours(two_edits):
    rows = two_edits.generate(PLAIN, SAMPLED)
    fewer = two_edits.generate([PLAIN[5], PLAIN[2]], SAMPLED)
    others = two_edits.generate([*edited(PLAIN, "a"), PLAIN[2], replace(PLAIN[2], prompt_id="x", seed=4)], SAMPLED)
    assert texts(fewer) == [rows[5]["response"], rows[2]["response"]]
    assert others[8]["response"] == rows[2]["response"]


def test_sampled_rows_do_not_read_or_move_the_global_random_state(engine):
    torch.manual_seed(1)
    first = engine.generate(PLAIN, SAMPLED)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    assert engine.generate(PLAIN, SAMPLED) == first
    assert torch.equal(torch.random.get_rng_state(), state)


def test_another_seed_draws_another_text(engine):
    rows = engine.generate([replace(PLAIN[0], seed=seed) for seed in range(4)], SAMPLED)
    assert len(set(texts(rows))) == 4


def test_the_likeliest_token_alone_is_greedy_decoding(engine):
    only = engine.generate(PLAIN, Decoding(max_new_tokens=16, temperature=1.0, top_k=1))
    assert texts(only) == texts(engine.generate(PLAIN, GREEDY))


def test_rows_say_how_they_were_made(two_edits):
    base, treated = two_edits.generate([PLAIN[0], replace(PLAIN[0], edit="a", strength=0.5)], GREEDY)
    assert (base["strength"], treated["strength"]) == (None, 0.5)
    assert base["build"] == base["base_build"] == treated["base_build"] == two_edits.base_build
    assert treated["build"] == two_edits.build("a") != two_edits.base_build
    assert base["input_hash"] == treated["input_hash"]
    assert (base["temperature"], base["max_new_tokens"]) == (0.0, 16)
    assert base["finish_reason"] == "length"
    assert base["n_tokens"] == 16


def test_an_instruction_changes_the_input_and_nothing_else(engine):
    plain, told = engine.generate([PLAIN[0], replace(PLAIN[0], system="Be brief.")], GREEDY)
    assert plain["input_hash"] != told["input_hash"]
    assert plain["decoding"] == told["decoding"]


def test_the_decoding_fingerprint_knows_sampling_and_not_the_budget(engine):
    def fingerprint(**settings) -> str:
        return engine.generate(PLAIN[:1], Decoding(**settings))[0]["decoding"]

    assert fingerprint(max_new_tokens=2) == fingerprint(max_new_tokens=4)
    assert fingerprint(max_new_tokens=2) != fingerprint(max_new_tokens=2, top_k=5)


def test_the_build_knows_the_thread_count(engine):
    assert Engine(engine.subject.name, threads=2).base_build != engine.base_build


def test_an_edit_that_was_never_given_is_found(engine):
    with pytest.raises(EditNotApplied, match="'ghost' was asked for"):
        engine.generate(edited(PLAIN[:1], "ghost"), GREEDY)


def test_progress_counts_the_tokens_of_the_answers(engine):
    steps: list[int] = []
    rows = engine.generate(PLAIN, GREEDY, steps.append)
    assert sum(steps) == sum(row["n_tokens"] for row in rows)
    assert len(steps) == GREEDY.max_new_tokens


def test_a_run_that_is_cancelled_leaves_the_engine_usable(two_edits):
    def cancel(_: int) -> None:
        raise KeyboardInterrupt

    expected = two_edits.generate([*PLAIN, *edited(PLAIN, "a")], GREEDY)
    with pytest.raises(KeyboardInterrupt):
        two_edits.generate([*PLAIN, *edited(PLAIN, "a")], GREEDY, cancel)
    assert two_edits.generate([*PLAIN, *edited(PLAIN, "a")], GREEDY) == expected


def test_a_prompt_that_does_not_fit_is_named(engine):
    with pytest.raises(InputError, match="prompt long: .* exceed the 2048"):
        engine.generate([PLAIN[0], Request("long", "Ω" * 2000)], GREEDY)


def test_a_block_is_one_batch_of_64_at_most(engine):
    assert engine.generate([], GREEDY) == []
    with pytest.raises(ValueError, match="64"):
        engine.generate([PLAIN[0]] * (BLOCK_ROWS + 1), GREEDY)


@pytest.mark.slow
def test_the_embedded_subject_answers_stops_and_is_told_apart_from_its_edit():
    engine = Engine("smollm2-135m", threads=2)
    first, second = engine.generate(PLAIN[:2], Decoding(max_new_tokens=24))
    assert first["response"] == "The capital of France is Paris."
    assert first["finish_reason"] == "stop"
    assert (
        first["n_tokens"] == len(chat.answer_ids(get_subject("smollm2-135m"), engine.tokenizer, first["response"])) + 1
    )
    assert second["finish_reason"] in ("stop", "length")
