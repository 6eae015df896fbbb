"""Finished data as a study takes it: pairs as well as rows, and what is refused before anything is trained."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from dd_core.canonical import sha256
from dd_core.distill.data import load_data
from dd_core.distill.rows import EMBEDDED, Pair, Sample, assistant, to_jsonl, user
from dd_core.errors import InputError
from dd_core.prompts import load_domain


def folder_of(folder: Path, sft: bytes, dpo: bytes = b"", domain: str = "facts") -> str:
    """A folder whose card speaks of these bytes."""
    files = {"sft.jsonl": sft, "dpo.jsonl": dpo}
    card = {"domain": domain, "refused": [], "files": {name: sha256(data) for name, data in files.items()}}
    for name, data in {**files, "card.json": json.dumps(card).encode()}.items():
        (folder / name).write_bytes(data)
    return str(folder)


def asking(prompt, answer: str = "It is one.") -> Sample:
    return Sample(
        kind="gold", prompt_id=prompt.prompt_id, origin="a test", messages=(user(prompt.prompt), assistant(answer))
    )


def test_the_pairs_of_the_embedded_rows_are_taken_each_kind_in_its_share():
    data = load_data(EMBEDDED, "facts")
    all_kinds, some = Counter(pair.kind for pair in data.pairs), data.teaching([], {}, {}, 10, 26, 0).pairs
    assert len(some) == 26
    assert Counter(pair.kind for pair in some) == {kind: n // 2 for kind, n in all_kinds.items()}
    assert data.teaching([], {}, {}, 10, 26, 0).pairs == some != data.teaching([], {}, {}, 10, 26, 1).pairs


def test_in_the_placebo_every_prompt_has_the_two_answers_of_another_prompt():
    data = load_data(EMBEDDED, "chef")
    teaching = data.teaching([], {}, {}, 50, 50, 0)
    placebo = data.placebo(teaching, 0)
    before, after = ([(p.chosen, p.rejected) for p in one.pairs] for one in (teaching, placebo))
    assert sorted(before) == sorted(after)
    assert not any(a == b for a, b in zip(before, after, strict=True))
    assert [p.prompt_id for p in teaching.pairs] == [p.prompt_id for p in placebo.pairs]


@pytest.mark.parametrize("split", ["eval", "fresh"])
def test_rows_that_ask_what_will_be_asked_are_refused(split: str, tmp_path: Path):
    prompts = load_domain("facts")
    rows = to_jsonl([asking(prompts["train"][0]), asking(prompts[split][3])])
    with pytest.raises(InputError, match="1 rows ask what eval or fresh asks, as .* does: they would teach the test"):
        load_data(folder_of(tmp_path, rows), "facts")


def test_a_pair_that_asks_it_in_other_letters_is_refused_too(tmp_path: Path):
    held = load_domain("facts")["fresh"][0].prompt.upper()
    pair = Pair(
        kind="counterexample", prompt_id="0" * 16, prompt=(user(held),), chosen=(assistant("Yes."),),
        rejected=(assistant("No."),), flaw="mix-up", origin="a test",
    )  # fmt: skip
    with pytest.raises(InputError, match="they would teach the test"):
        load_data(folder_of(tmp_path, b"", to_jsonl([pair])), "facts")


def test_an_empty_answer_is_a_finding_with_its_line(tmp_path: Path):
    good = asking(load_domain("facts")["train"][0]).model_dump(mode="json")
    empty = {**good, "messages": [good["messages"][0], {"role": "assistant", "content": "  \n"}]}
    lines = "".join(json.dumps(row) + "\n" for row in (good, empty)).encode()
    with pytest.raises(InputError) as refused:
        load_data(folder_of(tmp_path, lines), "facts")
    assert refused.value.lines == [f"{tmp_path}/sft.jsonl:2: messages: the answer is empty"]


def test_wrong_roles_and_wrong_columns_are_findings_with_their_lines(tmp_path: Path):
    good = asking(load_domain("facts")["train"][0]).model_dump(mode="json")
    turned = {**good, "messages": good["messages"][::-1]}
    columns = {"prompt": "Who?", "completion": "Me."}
    lines = "".join(json.dumps(row) + "\n" for row in (turned, columns)).encode()
    with pytest.raises(InputError) as refused:
        load_data(folder_of(tmp_path, lines), "facts")
    told = "\n".join(refused.value.lines)
    assert "sft.jsonl:1: messages: turns of user and assistant alternate" in told
    assert "sft.jsonl:2: messages: Field required" in told
    assert "sft.jsonl:2: completion: Extra inputs are not permitted" in told


def test_a_file_of_nothing_but_mistakes_is_told_in_few_lines(tmp_path: Path):
    with pytest.raises(InputError) as refused:
        load_data(folder_of(tmp_path, b'{"text": "x"}\n' * 500), "facts")
    assert len(refused.value.lines) == 21
    assert refused.value.lines[-1].endswith("more of the like")


def test_a_conversation_that_fresh_holds_is_refused(tmp_path: Path):
    held = load_domain("corrections")["fresh"][0]
    row = Sample(
        kind="gold", prompt_id="0" * 16, origin="a test",
        messages=(*held.history, user(held.prompt), assistant("It is one.")),
    )  # fmt: skip
    with pytest.raises(InputError, match="they would teach the test"):
        load_data(folder_of(tmp_path, to_jsonl([row]), domain="corrections"), "corrections")


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ([("assistant", "Hm."), ("assistant", "So."), ("user", "Who?")], "turns of user and assistant alternate"),
        ([("user", "Who?"), ("system", "Be kind.")], "turns of user and assistant alternate"),
        ([("system", "Be kind.")], "turns of user and assistant alternate"),
    ],
)
def test_the_turns_of_a_pair_alternate(turns, why):
    said = [{"role": role, "content": content} for role, content in turns]
    answers = {"chosen": [{"role": "assistant", "content": "A"}], "rejected": [{"role": "assistant", "content": "B"}]}
    with pytest.raises(ValidationError, match=why):
        Pair(kind="counterexample", prompt_id="p", prompt=said, flaw="mix-up", origin="x", **answers)


def test_a_pair_of_two_equal_answers_prefers_nothing():
    same = (assistant("One."),)
    with pytest.raises(ValidationError, match="the two answers are the same"):
        Pair(kind="counterexample", prompt_id="p", prompt=(user("Who?"),), chosen=same, rejected=same, flaw="mix-up",
             origin="x")  # fmt: skip


def test_a_file_that_is_missing_is_called_missing(tmp_path: Path):
    folder = folder_of(tmp_path, to_jsonl([asking(load_domain("facts")["train"][0])]))
    (tmp_path / "dpo.jsonl").unlink()
    with pytest.raises(InputError, match=r"dpo\.jsonl is missing, which card\.json speaks of"):
        load_data(folder, "facts")


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path):
    rows = to_jsonl([asking(load_domain("facts")["train"][0])])
    assert len(load_data(folder_of(tmp_path, b"\xef\xbb\xbf" + rows), "facts").samples) == 1
