from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dd_core.errors import EditNotApplied, InputError
from dd_core.records import Message
from dd_core.subjects import chat, reading
from dd_core.subjects import engine as engine_module
from dd_core.subjects.edits import contrast, instruction
from dd_core.subjects.edits.attached import restored
from dd_core.subjects.engine import Engine, Spoken

HISTORY = (Message(role="user", content="Who?"), Message(role="assistant", content="Nobody."))
LONG = "I think it's the river that we saw first, and I don't know its name, but they say that it is long. " * 2
TEXTS = [
    Spoken("What is it?", "I think it's a river."),
    Spoken("Who?", "No."),
    Spoken("Where is the longest river of them all?", ""),
    Spoken("And now?", LONG, system="Be brief.", history=HISTORY),
]


@pytest.fixture
def edits(engine, make_adapter):
    engine.add_edit("lora", make_adapter(1))
    engine.add_edit("mixed", contrast.files(make_adapter(1)))
    engine.add_edit("told", instruction.files("Be brief."))
    yield engine
    for edit in ("lora", "mixed", "told"):
        engine.drop_edit(edit)


def ids_of(engine: Engine, text: Spoken) -> tuple[list[int], list[int]]:
    prompt = chat.prompt_ids(engine.subject, engine.tokenizer, text.prompt, text.system, text.history)
    return prompt, chat.answer_ids(engine.subject, engine.tokenizer, text.answer)


def test_what_is_read_is_what_a_direct_pass_computes(engine):
    layout = engine.subject.layout
    heads = f"o_proj.{layout.softmax_layers[-1]}"
    states = engine.read(TEXTS, ["h_last", "h_last.0", "mean_last4", "mean_tail32", heads])
    assert {tag: array.shape for tag, array in states.items()} == dict.fromkeys(
        ("h_last", "h_last.0", "mean_last4", "mean_tail32"), (4, 64)
    ) | {heads: (4, layout.layers[layout.softmax_layers[-1]].width)}
    assert all(array.dtype == np.float32 for array in states.values())
    inputs = []
    module = engine.model.get_submodule(layout.o_proj(layout.softmax_layers[-1]))
    handle = module.register_forward_pre_hook(lambda _module, args: inputs.append(args[0][0, -1]))
    for row, text in enumerate(TEXTS):
        prompt, answer = ids_of(engine, text)
        # Asked for hidden states, transformers leaves hooks behind.
        with restored(engine.model), torch.inference_mode():
            hidden = engine.model(
                input_ids=torch.tensor([prompt + answer]), output_hidden_states=True, use_cache=False
            ).hidden_states
        last = [layer[0, -1] for layer in hidden]
        expected = {
            "h_last": last[-1],
            "h_last.0": last[1],
            "mean_last4": torch.stack(last[1:][-4:]).mean(dim=0),
            "mean_tail32": hidden[-1][0, -min(max(len(answer), 1), 32) :].mean(dim=0),
            heads: inputs[-1],
        }
        for tag, state in expected.items():
            np.testing.assert_allclose(states[tag][row], state, atol=1e-4 * float(state.abs().max()), err_msg=tag)
    handle.remove()


def test_how_likely_an_answer_is_says_the_models_own_softmax(engine):
    found = engine.log_probabilities(TEXTS)
    for text, own in zip(TEXTS, found, strict=True):
        prompt, answer = ids_of(engine, text)
        with torch.inference_mode():
            logits = engine.model(input_ids=torch.tensor([prompt + answer]), use_cache=False).logits[0].double()
        ahead = logits.log_softmax(dim=-1)[len(prompt) - 1 : -1]
        assert own.dtype == np.float64
        np.testing.assert_allclose(
            own, ahead.gather(1, torch.tensor(answer, dtype=torch.long)[:, None])[:, 0], atol=2e-4
        )
    sums, n_tokens = engine.nll(TEXTS)
    assert n_tokens.tolist() == [len(ids_of(engine, text)[1]) for text in TEXTS]
    assert n_tokens[2] == len(found[2]) == sums[2] == 0
    np.testing.assert_allclose(sums, [-one.sum() for one in found])


def test_texts_are_read_the_same_in_other_batches_and_orders(edits, monkeypatch):
    states, scores = edits.read(TEXTS, ["h_last", "mean_tail32"], "lora"), edits.log_probabilities(TEXTS, "mixed", 1.5)
    monkeypatch.setattr(reading, "READ_ROWS", 3)
    monkeypatch.setattr(reading, "READ_LOGITS", 20 * edits.subject.layout.vocab_size)
    monkeypatch.setattr(engine_module, "READ_BLOCK", 3)
    blocks = list(edits.read_blocks(TEXTS[::-1], ["h_last", "mean_tail32"], "lora"))
    assert [where for where, _ in blocks] == [slice(0, 3), slice(3, 4)]
    for tag, before in states.items():
        again = np.concatenate([found[tag] for _, found in blocks])[::-1]
        np.testing.assert_allclose(again, before, rtol=1e-3, atol=1e-4)
    for again, before in zip(edits.log_probabilities(TEXTS[::-1], "mixed", 1.5)[::-1], scores, strict=True):
        np.testing.assert_allclose(again, before, atol=1e-3)


def test_an_edit_is_on_while_its_texts_are_read(edits):
    plain, lora = edits.read(TEXTS, ["h_last"])["h_last"], edits.read(TEXTS, ["h_last"], "lora")["h_last"]
    assert not np.allclose(lora, plain)
    np.testing.assert_array_equal(edits.read(TEXTS, ["h_last"], "lora", 0.0)["h_last"], plain)
    np.testing.assert_array_equal(edits.read(TEXTS, ["h_last"])["h_last"], plain)


def test_what_all_texts_begin_with_is_run_once_and_read_the_same(edits, monkeypatch):
    # As long as the subject's window of sliding attention and longer, where it has one.
    texts = [Spoken(f"What is number {i}?", f"It is {i * i}, I think.", system="Be brief. " * 20) for i in range(6)]
    tags = ["h_last", "h_last.0", "mean_tail32"]
    widths: list[int] = []
    edits.model.register_forward_pre_hook(
        lambda _module, _inputs, call: widths.append(call["input_ids"].shape[1]), with_kwargs=True
    )

    def read() -> dict[str, np.ndarray]:
        widths.clear()
        scores = [edits.log_probabilities(texts, edit, 1.5) for edit in (None, "mixed")]
        states = [edits.read(texts, tags, edit) for edit in (None, "lora")]
        return {f"{i}": np.concatenate(found) for i, found in enumerate(scores)} | {
            f"{tag}.{i}": found[tag] for i, found in enumerate(states) for tag in tags
        }

    try:
        shared, longest = read(), max(len(sum(ids_of(edits, text), [])) for text in texts)
        assert (max(widths) < longest) == (len(edits.subject.layout.softmax_layers) == edits.subject.layout.n_layers)
        monkeypatch.setattr(reading, "READ_ONCE", 10**9)
        for name, alone in read().items():
            np.testing.assert_allclose(shared[name], alone, atol=1e-3 * float(np.abs(alone).max()), err_msg=name)
        assert max(widths) == longest
    finally:
        edits.model._forward_pre_hooks.clear()
        edits.model._forward_pre_hooks_with_kwargs.clear()


def test_layers_behind_the_last_one_wanted_are_not_run(edits):
    ran: list[int] = []
    layers = edits.model.get_submodule(edits.subject.layout.root)
    handles = [layer.register_forward_hook(lambda *_, i=i: ran.append(i)) for i, layer in enumerate(layers)]
    try:
        edits.read(TEXTS, ["h_last.0"])
        assert set(ran) == {0}
        edits.read(TEXTS, ["h_last.0"], "lora")
        assert set(ran) == set(range(len(layers)))
    finally:
        for handle in handles:
            handle.remove()


def test_a_contrast_is_as_likely_as_its_two_sides(edits):
    base, lora, at_0, at_1, at_2 = (
        np.concatenate(edits.log_probabilities(TEXTS, edit, strength))
        for edit, strength in ((None, 1.0), ("lora", 1.0), ("mixed", 0.0), ("mixed", 1.0), ("mixed", 2.0))
    )
    np.testing.assert_allclose(at_0, base, atol=1e-4)
    np.testing.assert_allclose(at_1, lora, atol=1e-4)
    assert np.abs(at_2 - lora).max() > 0.1
    np.testing.assert_allclose(
        edits.read(TEXTS, ["h_last"], "mixed", 2.0)["h_last"],
        edits.read(TEXTS, ["h_last"], "lora")["h_last"],
        rtol=1e-4,
    )


def test_an_instruction_is_told_before_the_texts(edits):
    told = [replace(text, system="Be brief.") for text in TEXTS[:3]]
    for own, other in zip(edits.log_probabilities(TEXTS[:3], "told"), edits.log_probabilities(told), strict=True):
        np.testing.assert_array_equal(own, other)


def test_a_figure_of_contrasts_is_not_there_to_be_read(engine):
    with pytest.raises(InputError, match="contrast.kl is there only while an answer is written"):
        engine.read(TEXTS, ["h_last", "contrast.kl"])


def test_a_text_that_does_not_fit_is_named(engine):
    with pytest.raises(InputError, match="text 1: .* exceed the 2048"):
        engine.read([TEXTS[0], Spoken("Who?", "Ω" * 2000)], ["h_last"])


def test_reading_leaves_no_hook_behind(edits):
    edits.read(TEXTS[:1], ["h_last", "h_last.1"], "lora")
    edits.log_probabilities(TEXTS[:1], "mixed")
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in edits.model.modules())


def test_an_edit_that_was_never_given_is_found(engine):
    with pytest.raises(EditNotApplied, match="'ghost' was asked for"):
        engine.nll(TEXTS, "ghost")
