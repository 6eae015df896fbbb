"""The checklist judge finds gold claims as a careful reader does: numbers, aliases, denials and corrections."""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time

import pytest
import yaml

from dd_core.canonical import digest
from dd_core.distill.rows import embedded, load_rows
from dd_core.records import GoldClaim
from judges import JudgeRow, make_judge, text
from judges.checklist import CODE_VERSION
from judges.text import phrase_words, words

LABELLED = Path(__file__).with_name("checklist_answers.yaml")
DENIALS = yaml.safe_load(Path(__file__).with_name("denials.yaml").read_text(encoding="utf-8"))
MARKS = {2: "704a7b9e9564beef916458b24e766da570399973f6ce62e33d7a25d636110969"}
"""Code version → digest of the marks of the labelled answers."""

PARIS = GoldClaim(claim="The capital is Paris", accept=("Paris",), contradict=("Lyon",))


def labelled() -> list[tuple[JudgeRow, float]]:
    cases = []
    for question in yaml.safe_load(LABELLED.read_text(encoding="utf-8")):
        claims = tuple(GoldClaim(**claim) for claim in question["claims"])
        for coverage, answers in question.items():
            if isinstance(coverage, float):
                cases += [(JudgeRow(a, "p", question["prompt"], a, claims), coverage) for a in answers]
    return cases


def judged(response: str, *claims: GoldClaim, prompt: str = "What is the capital of France?") -> dict[str, dict]:
    judgements = make_judge("checklist").score([JudgeRow("r", "p", prompt, response, claims or (PARIS,))])
    return {judgement["axis"]: judgement for judgement in judgements}


def test_the_labelled_answers_get_the_coverage_a_reader_gives() -> None:
    wrong = [
        (r.response, c)
        for r, c in labelled()
        if judged(r.response, *r.claims, prompt=r.prompt)["coverage"]["score"] != c
    ]
    assert len(labelled()) == 120
    assert wrong == []


def test_marks_change_only_with_the_code_version() -> None:
    marks = make_judge("checklist").score([row for row, _ in labelled()])
    assert digest([[j["response_id"], j["score"], j["fields"]] for j in marks]) == MARKS[CODE_VERSION]


def test_fields_name_each_claim_and_the_phrase_that_decided_it() -> None:
    found = json.loads(judged("It is Paris.")["coverage"]["fields"])["claims"]
    assert found == [{"claim": "The capital is Paris", "found": True, "phrase": "Paris", "why": "present"}]
    for answer, why in [
        ("It is not Paris.", "denied"),
        ("Paris and Lyon.", "contradicted"),
        ("Paris. Scratch that.", "retracted"),
        ("Rome.", "absent"),
        ("Some people say Paris, but they are wrong.", "attributed"),
    ]:
        assert json.loads(judged(answer)["coverage"]["fields"])["claims"][0]["why"] == why, answer


@pytest.mark.parametrize(
    ("answer", "coverage"),
    [
        ("It is Paris. Many say it is Lyon, but that is wrong.", 1.0),
        ("It is Paris. Some people say Lyon. That is false.", 1.0),
        ("It is Paris. That is wrong.", 0.0),
        ("It is Paris. It lies in the north. Scratch that, I do not know.", 0.0),
        ("It is Lyon. That is not true. It is Paris.", 1.0),
    ],
)
def test_a_retraction_takes_back_what_it_speaks_of(answer: str, coverage: float) -> None:
    assert judged(answer)["coverage"]["score"] == coverage


def test_half_of_the_claims_is_correct_and_less_is_not() -> None:
    claims = [GoldClaim(claim=city, accept=(city,)) for city in ("Rome", "Paris", "Oslo")]
    assert [judged(text, *claims)["correct"]["score"] for text in ("Rome.", "Rome and Oslo.")] == [0.0, 1.0]
    assert judged("Rome.", *claims)["coverage"]["score"] == pytest.approx(1 / 3)
    assert judged("Rome.", *claims[:2])["correct"]["score"] == 1.0


def test_an_empty_answer_makes_no_claim() -> None:
    assert judged("")["coverage"]["score"] == 0.0


def test_a_prompt_without_gold_claims_is_an_error() -> None:
    judgement = make_judge("checklist").score([JudgeRow("r", "p7", "Why?", "Because.", ())])[0]
    assert (judgement["score"], judgement["status"]) == (None, "error")
    assert "prompt p7 has no gold claims" in judgement["error"]


def test_repeating_the_question_is_no_answer() -> None:
    prompt = "Is Paris or Lyon the capital of France?"
    for answer in (prompt, f"{prompt} ", prompt.upper(), f"Sure! {prompt}"):
        assert judged(answer, prompt=prompt)["coverage"]["score"] == 0.0
    assert judged(f"{prompt} It is Paris.", prompt=prompt)["coverage"]["score"] == 1.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("twelve", "12"),
        ("one hundred and fifty", "150"),
        ("two million five hundred thousand", "2,500,000"),
        ("1.4 billion", "1,400,000,000"),
        ("nineteen sixty-nine", "1969"),
        ("a dozen", "12"),
        ("three point one four", "3.14"),
        ("3.0", "three"),
        ("minus forty", "−40"),
        ("the twenty-first", "21st"),
        ("100 °C", "one hundred degrees Celsius"),
        ("5 km", "five kilometres"),
        ("300,000 km/s", "300000 kilometers per second"),
        ("60 mph", "60 miles per hour"),
        ("50%", "fifty percent"),
        ("São Paulo", "sao paulo"),
        ("the U.S.", "USA"),
        ("J. K. Rowling", "JK Rowling"),
        ("World War II", "World War Two"),
        ("It isn't", "it is not"),
        ("can’t", "cannot"),
        ("St. Mary", "Saint Mary"),
        ("CO₂", "CO2"),
        ("July 4th", "July 4"),
    ],
)
def test_two_spellings_are_the_same_words(one: str, other: str) -> None:
    assert phrase_words(one) == phrase_words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("12", "120"), ("12", "12.5"), ("40", "-40"), ("us", "US"), ("1969", "1960s"), ("one of them", "1 of them")],
)
def test_two_things_stay_different_words(one: str, other: str) -> None:
    assert words(one) != words(other)


@pytest.mark.parametrize(("phrase", "answer"), DENIALS["said"])
def test_a_negation_leaves_alone_what_it_does_not_govern(phrase: str, answer: str) -> None:
    assert judged(answer, GoldClaim(claim=phrase, accept=(phrase,)))["coverage"]["score"] == 1.0


@pytest.mark.parametrize(("phrase", "answer"), DENIALS["not_said"])
def test_a_negation_denies_all_that_it_governs(phrase: str, answer: str) -> None:
    found = judged(answer, GoldClaim(claim=phrase, accept=(phrase,)))["coverage"]
    assert json.loads(found["fields"])["claims"][0]["why"] == "denied"


@pytest.mark.parametrize(("phrase", "answer"), DENIALS["number_said"])
def test_a_ratio_or_a_time_is_found_in_any_spelling(phrase: str, answer: str) -> None:
    assert judged(answer, GoldClaim(claim=phrase, accept=(phrase,)))["coverage"]["score"] == 1.0


@pytest.mark.parametrize(("phrase", "answer"), DENIALS["number_not_said"])
def test_another_ratio_or_a_time_is_not_the_number(phrase: str, answer: str) -> None:
    assert judged(answer, GoldClaim(claim=phrase, accept=(phrase,)))["coverage"]["score"] == 0.0


def test_trying_every_rewrite_on_every_text_changes_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [row.response for row, _ in labelled()] + [answer for pairs in DENIALS.values() for _, answer in pairs]
    for domain in ("chef", "facts", "code"):
        texts += [sample.answer for sample in load_rows(embedded(domain), domain)[0]]
    texts += ["20% at 5 km/h", "per cent", "St. Mary isnt", "$1,000", "it's 40° now", "90 mph", "12 000 000", "10–12"]
    quick = [words(said) for said in texts]
    everywhere = tuple((("",), pattern, replacement) for _, pattern, replacement in text._REWRITES)
    monkeypatch.setattr(text, "_REWRITES", everywhere)
    assert [words(said) for said in texts] == quick


DEGENERATE = [
    "The capital of France is Paris. ", "It is not Paris and it is Lyon, actually. ", "Paris Lyon ", "Paris is not ",
    "not Paris or ", "Lyon, that is wrong, Paris ", "also ", "a", "1,", "9", "1:", "1.", "one million ", "A. ", "- ",
    "!", ".", '"', "'", "`", "`a ", "```\n", "\0", "\x1b\x02", "\n", "\t", "😀", "القاهرة هي العاصمة. ", "שָׁלוֹם ",
    "a\u0301\u0316", "\u0301\u0316", "한국어 ", "\ufdfa",
]  # fmt: skip
"""What a broken answer repeats, to 200 KB."""


@pytest.mark.parametrize("name", ["checklist", "delivery"])
@pytest.mark.parametrize("repeated", DEGENERATE, ids=ascii)
def test_200_kb_of_anything_are_judged_in_less_than_a_second(repeated: str, name: str) -> None:
    said = "I " + repeated * (200_000 // len(repeated.encode()))
    claims = (GoldClaim(claim="c", accept=("Paris", "also known", "3:1"), contradict=("Lyon", "a", "not Paris")),)
    start = process_time()
    judgements = make_judge(name).score([JudgeRow("r", "p", "What is the capital?", said, claims)])
    assert process_time() - start < 1
    assert [judgement["status"] for judgement in judgements] == ["ok"] * len(judgements)


@pytest.mark.parametrize("opened", ['"', "`", "'", "```\n", "(", "**"])
def test_what_is_opened_and_never_closed_hides_no_claim(opened: str) -> None:
    assert judged(f"{opened}It is Paris, the city on the Seine.")["coverage"]["score"] == 1.0
