"""Claims about the files of each kind of edit: read as they were written, refused where they say nothing sound."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits import contrast, direction, heads, instruction, read_edit
from dd_core.subjects.edits.adapter import read_adapter
from dd_core.subjects.engine import Engine
from dd_core.subjects.registry import get_subject
from tests.dd_core.subjects.edits.helpers import edited, scaling, steering

SCALING = heads.files(((1, 2), (0, 3)), 2.5)
STEERING = direction.files({0: np.array([3.0, 0.0]), 4: np.array([0.0, 4.0])}, True)


@pytest.fixture(scope="module")
def llama() -> Engine:
    return Engine("tiny-llama", threads=1)


def said(files, **changed):
    """`files` with other members in `edit.json`; None leaves one out."""
    whole = json.loads(files["edit.json"]) | changed
    return files | {"edit.json": json.dumps({name: one for name, one in whole.items() if one is not None}).encode()}


def test_each_kind_is_read_as_it_was_written(make_adapter):
    adapter = make_adapter(0)
    tempering, steer = read_edit(SCALING), read_edit(STEERING)
    assert (tempering.heads, tempering.norm, tempering.identity) == (((0, 3), (1, 2)), 2.5, 1.0)
    assert sorted(steer.vectors) == [0, 4] and steer.vectors[4].tolist() == [0.0, 4.0]
    assert (steer.norm_preserving, steer.norm, steer.identity) == (True, 5.0, 0.0)
    mixed, told = read_edit(contrast.files(adapter)), read_edit(instruction.files("Be brief."))
    assert (mixed.adapter.sha256, mixed.norm) == (read_adapter(adapter).sha256, read_adapter(adapter).norm)
    assert (told.text, told.norm, told.identity) == ("Be brief.", 1.0, 0.0)
    names = {edit.sha256 for edit in (tempering, steer, mixed, mixed.adapter, told)}
    assert len(names) == 5


def test_the_same_numbers_make_the_same_bytes_and_others_another_name():
    assert heads.files(((0, 3), (1, 2)), 2.5) == SCALING
    assert direction.files({4: np.array([0.0, 4.0]), 0: [3.0, 0.0]}, True) == STEERING
    others = (heads.files(((0, 3),), 2.5), direction.files({0: np.array([3.0, 0.0]), 4: np.array([0.0, 4.0])}, False))
    assert {read_edit(files).sha256 for files in others}.isdisjoint(
        {read_edit(SCALING).sha256, read_edit(STEERING).sha256}
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (said(SCALING, heads=[]), "at least one"),
        (said(SCALING, heads=[[0, -1]]), r"\[0, -1\], which is no \[layer, head\]"),
        (said(SCALING, heads=[[0, 1.0]]), "counted from 0"),
        (said(SCALING, heads=[[0, 1], [0, 1]]), "one head twice"),
        (said(SCALING, norm=0.0), "norm = 0.0 is not above 0"),
        (said(SCALING, norm=None), "norm = None"),
        (SCALING | {"more.bin": b""}, "is edit.json, not edit.json, more.bin"),
        (said(STEERING, norm_preserving=1), "neither true nor false"),
        ({"edit.json": STEERING["edit.json"]}, "edit.json and edit.safetensors"),
        (STEERING | {"edit.safetensors": b"no"}, "cannot be read"),
        (STEERING | {"edit.safetensors": save({"last": torch.ones(2)})}, "'last' is no number of a layer"),
        (STEERING | {"edit.safetensors": save({"0": torch.tensor([1.0, float("nan")])})}, "no finite float32"),
        (STEERING | {"edit.safetensors": save({"0": torch.ones(2, dtype=torch.float16)})}, "no finite float32"),
        (STEERING | {"edit.safetensors": save({"0": torch.zeros(2)})}, "zero in every layer"),
        (instruction.files(" \n"), "says nothing"),
        (contrast.files({}), "edit.json and adapter_config.json and adapter_model.safetensors"),
        (said(SCALING, kind="temper"), "did you mean 'tempering'"),
        ({"edit.json": b"["}, "cannot be read"),
    ],
)
def test_files_that_say_nothing_sound_are_refused(files, words):
    with pytest.raises(EditNotApplied, match=words):
        read_edit(files)


def test_the_norm_of_a_tempering_is_that_of_the_columns_that_its_heads_are_read_by(engine):
    layout = engine.subject.layout
    first, last = layout.softmax_layers[0], layout.softmax_layers[-1]
    total = 0.0
    for layer, head in ((first, 1), (last, 3)):
        diagonal = torch.zeros(layout.layers[layer].width)
        size = layout.layers[layer].head_size
        diagonal[head * size : (head + 1) * size] = -1.0
        change = engine.model.get_submodule(layout.o_proj(layer)).weight.double() * diagonal.double()
        total += float(change.square().sum())
    found = heads.head_norm(engine.model, layout, ((first, 1), (last, 3)))
    assert found == pytest.approx(total**0.5, rel=1e-9)


def test_a_head_that_a_model_does_not_have_is_told(llama):
    layout = get_subject("tiny-qwen3.5").layout
    assert heads.wrong_heads(((3, 0), (7, 3)), layout) == []
    assert heads.wrong_heads(((0, 1), (3, 4), (8, 0)), layout) == [
        "head 0.1: layer 0 has no softmax attention; layers with it: 3, 7",
        "head 3.4: there is no head 4; layer 3 has 0 to 3",
        "head 8.0: there is no layer 8; layers are 0 to 7",
    ]
    with pytest.raises(EditNotApplied, match="layers are 0 to 1"):
        scaling(llama, ((2, 0),))
    with pytest.raises(EditNotApplied, match="edit a: head 0.9: there is no head 9"):
        edited(llama, {"a": read_edit(heads.files(((0, 9),), 1.0))}, [[("a", 0.5)]])


def test_a_direction_of_another_model_is_told(llama):
    with pytest.raises(EditNotApplied, match="edit a: there is no layer 2; layers are 0 to 1"):
        edited(llama, {"a": steering(llama, (2,), False)}, [[("a", 0.5)]])
    with pytest.raises(EditNotApplied, match="layer 0 has 2 numbers, the residual stream 64"):
        edited(llama, {"a": read_edit(direction.files({0: np.ones(2)}, False))}, [[("a", 0.5)]])


def test_an_edit_that_acts_elsewhere_is_not_put_on_a_model(llama):
    with pytest.raises(EditNotApplied, match="edit a .Instruction. does not act inside the model"):
        edited(llama, {"a": read_edit(instruction.files("Be brief."))}, [[("a", 1.0)]])
