from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dd_core.subjects import check, registry
from dd_core.subjects.engine import Engine
from dd_core.subjects.registry import LAYOUTS, get_subject


@pytest.fixture
def own() -> Engine:
    """An engine that a test may break."""
    return Engine("tiny-llama", threads=1)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_tiny_subject_behaves_as_is_assumed(name):
    findings = list(check.check(name, threads=1))
    assert [one.check for one in findings] == list(check.CHECKS)
    assert [one for one in findings if not one.ok] == []


def test_a_subject_that_cannot_be_loaded_is_one_finding(monkeypatch):
    subject = get_subject("tiny-llama")
    wrong = replace(subject, layout=replace(subject.layout, hidden_size=65))
    monkeypatch.setitem(registry.SUBJECTS, "tiny-llama", wrong)
    (only,) = check.check("tiny-llama", threads=1)
    assert (only.check, only.ok) == ("load", False)
    assert "layout.hidden_size is 65, the model has 64" in only.figures


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ bos_token }}{{ bos_token }}{{ messages[-1].content }}", "two <|im_start|> at the start"),
        ("{{ messages[-1].content }}{% if add_generation_prompt %}<think>\n{% endif %}", "thinking is on"),
        ("{% for m in messages if m.role != 'system' %}{{ m.content }}\n{% endfor %}", "is not in the prompt"),
        (
            "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
            "{% if add_generation_prompt %}model: {% endif %}",
            "is opened by 'model: '",
        ),
    ],
)
def test_a_template_that_says_something_else_is_found(own, template, words):
    own.tokenizer.chat_template = template
    ok, figures = check.template(own)
    assert not ok
    assert words in figures


def test_a_tokenizer_that_changes_words_is_found(own):
    decode = own.tokenizer.decode
    own.tokenizer.decode = lambda ids, **how: decode(ids, **how).strip()
    ok, figures = check.round_trip(own)
    assert not ok
    assert "' a space before and after ' comes back as 'a space" in figures


def test_padding_that_is_seen_is_found(own):
    forward = own.model.forward
    own.model.forward = lambda attention_mask, **inputs: forward(attention_mask=attention_mask * 0 + 1, **inputs)
    assert not check.padding(own)[0]


def test_a_batch_that_answers_otherwise_is_traced_to_its_token_and_its_logits(own):
    tokens = own.tokens

    def other(requests, decoding):
        answers = tokens(requests, decoding)
        return answers if len(requests) == 1 else [[*ids[:3], (ids[3] + 1) % 400, *ids[4:]] for ids in answers]

    own.tokens = other
    ok, figures = check.batch(own)
    assert not ok
    assert figures.startswith(
        "0 of 4 greedy answers of a batch equal the single ones; p0 differs from token 3 on, logits"
    )


def test_a_difference_between_equal_logits_is_told_as_a_tie(own):
    tokens = own.tokens
    first = own.tokens([check.Request("p0", check.PROMPTS[0])], check.BATCH)[0][0]
    other = (first + 1) % 400
    weights = own.model.lm_head.weight.detach().clone()
    weights[other] = weights[first]
    own.model.lm_head.weight = torch.nn.Parameter(weights)
    swapped = {first: other, other: first}

    own.tokens = lambda requests, decoding: [
        ids if len(requests) == 1 else [swapped.get(token, token) for token in ids]
        for ids in tokens(requests, decoding)
    ]
    ok, figures = check.batch(own)
    assert ok
    assert "a tie: logits 0.0e+00 apart" in figures


def test_an_answer_that_does_not_end_is_found(own):
    own.model.generation_config.eos_token_id = None
    ok, figures = check.end_tokens(own)
    assert not ok
    assert "generation goes on behind '<|im_end|>'" in figures


def test_a_taught_end_that_the_template_does_not_use_is_found(own):
    own.subject = replace(own.subject, turn_end="<|endoftext|>")
    ok, figures = check.end_tokens(own)
    assert not ok
    assert "the template closes an answer by '<|im_end|>\\n'" in figures
