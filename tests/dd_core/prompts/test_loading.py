"""Claims about loading and choosing prompts: errors say where, and a choice is stratified, stable and repeatable."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from dd_core.errors import InputError
from dd_core.prompts import DOMAINS, choose, load_domain, parse_split
from dd_core.prompts.phrases import PHRASES

ROW = {
    "prompt": "What is 2 plus 2?",
    "split": "train",
    "category": "arithmetic",
    "difficulty": "easy",
    "certainty": "certain",
    "claims": [{"claim": "Two plus two is four.", "accept": ["4", "four"], "contradict": []}],
    "reference": "Counting two on from two gives four.",
    "generator": "a test",
}


def text(*rows: object) -> str:
    return "\n".join(json.dumps(row) for row in rows) + "\n"


def findings(content: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_split(content, "train", "facts/train.jsonl")
    return caught.value.lines


def test_a_good_line_becomes_a_prompt_in_the_order_of_the_file() -> None:
    rows = [{**ROW, "prompt": f"What is {n} plus 2?"} for n in (9, 3, 5)]
    assert [prompt.prompt for prompt in parse_split(text(*rows), "train", "x")] == [row["prompt"] for row in rows]


def test_a_line_that_is_not_json_is_named_by_file_and_number() -> None:
    (line,) = findings(text(ROW) + '{"prompt": "What\n')
    assert line.startswith("facts/train.jsonl:2: this line is not JSON")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"difficulty": "trivial"}, "difficulty"),
        ({"certainty": None}, "certainty"),
        ({"claims": [{"claim": "Four.", "accept": []}]}, "claims.0.accept"),
        ({"claims": "four"}, "claims"),
        ({"claims": [{"claim": "Four.", "accept": [4]}]}, "claims.0.accept.0"),
        ({"colour": "red"}, "colour"),
        ({"prompt": ""}, "prompt"),
    ],
)
def test_a_wrong_field_is_named(change: dict, field: str) -> None:
    lines = findings(text({**ROW, **change}))
    assert [line for line in lines if line.startswith(f"facts/train.jsonl:1: {field}: ")]


PROGRAM = {"entry_point": "f", "tests": "def check(candidate):\n    pass", "solution": "def f():\n    pass"}
TURNS = [{"role": "user", "content": "What is 2 plus 2?"}, {"role": "assistant", "content": "Five."}]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": " … "}, "prompt: holds no word"),
        ({"claims": []}, "claims: a prompt has gold claims or a program's tests"),
        ({"program": PROGRAM}, "claims: a prompt has gold claims or a program's tests"),
        ({"reference": ""}, "reference: say why the claims are true"),
        ({"claims": [], "program": PROGRAM, "reference": ""}, "reference: say why"),
        ({"history": TURNS}, "correction: belongs to a prompt with a history"),
        ({"correction": "right"}, "correction: belongs to a prompt with a history"),
        ({"history": TURNS[::-1], "correction": "right"}, "history: turns of user and assistant alternate"),
        ({"history": TURNS[:1], "correction": "right"}, "history: turns of user and assistant alternate"),
        ({"history": [{"role": "user", "content": ""}], "correction": "right"}, "history.0.content"),
    ],
)
def test_a_row_that_is_no_whole_prompt_is_named(change: dict, words: str) -> None:
    lines = findings(text({**ROW, **change}))
    assert any(line.startswith("facts/train.jsonl:1: ") and words in line for line in lines), lines


def test_each_claim_may_bring_its_own_reason() -> None:
    claims = [{**ROW["claims"][0], "reference": "Counted on fingers."}]
    (prompt,) = parse_split(text({**ROW, "claims": claims, "reference": ""}), "train", "x")
    assert prompt.claims[0].reference == "Counted on fingers."


def test_the_turns_before_a_prompt_are_part_of_what_names_it() -> None:
    plain, talked = parse_split(text(ROW, {**ROW, "history": TURNS, "correction": "right"}), "train", "x")
    assert plain.prompt_id != talked.prompt_id


def test_a_split_may_be_left_to_the_file() -> None:
    row = {name: value for name, value in ROW.items() if name != "split"}
    assert parse_split(text(row), "eval", "x")[0].split == "eval"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"prompt": "a", "prompt": "b"}', "prompt: stands twice in one object"),
        ('{"prompt": "\\ud800"}', "half of a character"),
        ('{"prompt": ' + "9" * 5000 + "}", "digits"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_that_cannot_be_meant_is_named(line: str, words: str) -> None:
    (finding,) = findings(line)
    assert finding.startswith("facts/train.jsonl:1: ") and words in finding


@pytest.mark.parametrize("value", [[1], "word", 3, None])
def test_a_line_that_is_no_object_is_refused(value: object) -> None:
    (line,) = findings(text(value))
    assert line.startswith("facts/train.jsonl:1: ") and "valid dictionary" in line


def test_all_findings_of_a_file_come_at_once() -> None:
    lines = findings(text({**ROW, "difficulty": "no"}, {**ROW, "split": "eval"}, ROW))
    assert [line.split(": ")[0] for line in lines] == [f"facts/train.jsonl:{n}" for n in (1, 2, 3)]
    assert "'train'" in lines[1] and "'eval'" in lines[1]


def test_a_prompt_that_stands_in_two_files_is_refused_with_both_places() -> None:
    places: dict[str, str] = {}
    parse_split(text(ROW), "train", "facts/train.jsonl", places)
    with pytest.raises(InputError, match=r"facts/eval.jsonl:1: .* stands already at facts/train.jsonl:1"):
        parse_split(text({**ROW, "split": "eval", "prompt": " what is 2  PLUS 2?"}), "eval", "facts/eval.jsonl", places)


def test_a_named_set_of_phrases_is_written_out_without_repeats() -> None:
    row = {**ROW, "claims": [{"claim": "It cannot be known.", "accept": ["countless", "unknown", "@unknowable"]}]}
    (prompt,) = parse_split(text(row), "train", "x")
    accept = prompt.claims[0].accept
    assert accept[:2] == ("countless", "unknown")
    assert set(PHRASES["unknowable"]) < set(accept) and len(set(accept)) == len(accept)


def test_an_unknown_set_of_phrases_is_refused_with_the_known_ones() -> None:
    (line,) = findings(text({**ROW, "claims": [{"claim": "x", "accept": ["@unknowabel"]}]}))
    assert line.startswith("facts/train.jsonl:1: claims.0.accept: ")
    assert "'@unknowabel'" in line and "@unknowable" in line


@pytest.mark.parametrize("name", PHRASES)
def test_no_phrase_of_a_set_stands_twice_in_it(name: str) -> None:
    assert len(set(PHRASES[name])) == len(PHRASES[name])


def test_a_mere_hedge_is_in_no_set() -> None:
    phrases = {phrase for phrases in PHRASES.values() for phrase in phrases}
    assert not phrases & {"not sure", "maybe", "perhaps", "probably", "might"}


def test_an_unknown_domain_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="unknown domain 'fact'; did you mean 'facts'?"):
        load_domain("fact")
    with pytest.raises(InputError, match="known: chef, code, corrections, facts"):
        load_domain("zzz")


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_has_three_splits_and_one_line_about_it(domain: str) -> None:
    assert list(load_domain(domain)) == ["train", "eval", "fresh"]
    assert DOMAINS[domain].about and "\n" not in DOMAINS[domain].about


def test_the_same_seed_chooses_the_same_prompts_and_another_seed_others() -> None:
    assert choose("facts", "eval", 40, 7) == choose("facts", "eval", 40, 7)
    assert set(choose("facts", "eval", 40, 7)) != set(choose("facts", "eval", 40, 8))


@pytest.mark.parametrize("seed", range(5))
def test_a_smaller_choice_is_the_beginning_of_a_larger_one(seed: int) -> None:
    large = choose("facts", "fresh", 120, seed)
    assert choose("facts", "fresh", 40, seed) == large[:40]


@pytest.mark.parametrize("split", ["train", "eval", "fresh"])
@pytest.mark.parametrize("n", [8, 40, 48, 100])
def test_a_choice_has_no_repeats_and_every_category_in_its_share(split: str, n: int) -> None:
    available = load_domain("facts")[split]
    chosen = choose("facts", split, n, seed=3)
    assert len({prompt.prompt_id for prompt in chosen}) == n and set(chosen) <= set(available)
    share, counts = Counter(p.category for p in available), Counter(p.category for p in chosen)
    assert all(abs(counts[c] - n * share[c] / len(available)) <= 1 for c in share)


def test_all_prompts_can_be_chosen_and_no_more() -> None:
    available = load_domain("facts")["fresh"]
    assert set(choose("facts", "fresh", len(available), 0)) == set(available)
    for n in (len(available) + 1, 0, -3):
        with pytest.raises(InputError, match=f"{n} prompts asked of facts/fresh, which holds {len(available)}"):
            choose("facts", "fresh", n, 0)


def test_an_unknown_split_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="no split 'test'; it has train, eval, fresh"):
        choose("facts", "test", 1, 0)
