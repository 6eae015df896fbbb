from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits import read_edit
from dd_core.subjects.edits.gate import SHAPES, Gate, files
from dd_core.subjects.formats import EDIT_FILE, TENSORS_FILE

WIDTH = 3
SIZES = {"w": WIDTH, "h": 2, "v": 4, "n": 5}


def arrays_of(readout: str) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal([SIZES[d] for d in shape]) for name, shape in SHAPES[readout].items()}
    if readout == "random":
        arrays |= {name: np.sort(arrays[name]) for name in ("ranks", "log_odds")}
    return {"mean": np.ones(WIDTH), "scale": np.full(WIDTH, 2.0), **arrays}


def gate_files(readout: str = "logistic", **changed) -> dict[str, bytes]:
    said = {
        "tag": "h_last",
        "readout": readout,
        "arrays": arrays_of(readout),
        "threshold": 0.4,
        "hedged_share": 0.3,
        "subject": "tiny-llama",
        "base_build": "b" * 64,
        "prefix": "I'm not certain about this, but",
    }
    return files(**{**said, **changed})


def states(n: int = 200) -> np.ndarray:
    return np.random.default_rng(1).normal(1.0, 2.0, (n, WIDTH)).astype(np.float32)


def read(given: dict[str, bytes]) -> Gate:
    gate = read_edit(given)
    assert isinstance(gate, Gate)
    return gate


@pytest.mark.parametrize("readout", SHAPES)
def test_a_gate_is_read_as_it_was_written(readout):
    gate = read(gate_files(readout))
    assert (gate.tag, gate.readout, gate.threshold, gate.norm, gate.identity) == ("h_last", readout, 0.4, 0.3, 0.0)
    assert (gate.prefix, gate.instruction, gate.width) == ("I'm not certain about this, but", "", WIDTH)
    assert all(np.array_equal(gate.arrays[name], array) for name, array in arrays_of(readout).items())
    assert gate_files(readout) == gate_files(readout)
    assert gate.sha256 != read(gate_files(readout, threshold=0.5)).sha256


@pytest.mark.parametrize("readout", SHAPES)
def test_strength_0_hedges_nothing_and_a_larger_one_whatever_a_smaller_one_does(readout):
    gate = read(gate_files(readout))
    hedged = [gate.hedges(states(), [strength] * 200) for strength in (0.0, 0.5, 1.0, 1.5, 2.6)]
    assert not hedged[0].any() and hedged[-1].all()
    for less, more in zip(hedged, hedged[1:], strict=False):
        assert (more | ~less).all()


def test_at_strength_1_those_are_hedged_whose_probability_is_under_the_threshold():
    gate = read(gate_files())
    probabilities = 1 / (1 + np.exp(-gate.log_odds(states())))
    assert np.array_equal(gate.hedges(states(), [1.0] * 200), probabilities < 0.4)
    assert 0 < gate.hedges(states(), [1.0] * 200).sum() < 200


def test_each_answer_is_held_against_its_own_strength_whatever_stands_beside_it():
    gate = read(gate_files("mlp"))
    strengths = [0.0, 1.0, 2.6] * 60
    together = gate.hedges(states(180), strengths)
    alone = [gate.hedges(states(180)[i : i + 1], strengths[i : i + 1])[0] for i in range(180)]
    assert together.tolist() == alone
    assert gate.hedges(states()[:0], []).shape == (0,)


def test_a_gate_of_another_build_or_of_states_of_another_width_is_refused():
    gate = read(gate_files())
    gate.check("b" * 64, WIDTH)
    with pytest.raises(EditNotApplied, match=r"states of another build \(tiny-llama, bbbbbbbbbbbb\)"):
        gate.check("c" * 64, WIDTH)
    with pytest.raises(EditNotApplied, match="reads 3 numbers of h_last, which has 64 here"):
        gate.check("b" * 64, 64)


def test_states_that_are_not_finite_or_of_another_width_are_told():
    gate = read(gate_files())
    wrong = states()
    wrong[3, 1], wrong[5, 0] = np.nan, np.inf
    with pytest.raises(EditNotApplied, match="2 of 200 states h_last hold numbers that are not finite"):
        gate.hedges(wrong, [1.0] * 200)
    with pytest.raises(EditNotApplied, match=r"\[n, 3\] of h_last, not \[200, 2\]"):
        gate.hedges(states()[:, :2], [1.0] * 200)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"readout": "forest"}, "unknown readout 'forest'"),
        ({"threshold": 0.0}, "threshold 0.0"),
        ({"threshold": float("1")}, "threshold 1.0"),
        ({"hedged_share": 0.0}, "hedged_share 0.0"),
        ({"prefix": ""}, "a prefix or an instruction"),
        ({"instruction": "Hedge."}, "a prefix or an instruction"),
        ({"subject": None}, "subject must be text"),
        ({"tag": None}, "tag must be text"),
    ],
)
def test_a_gate_that_says_what_cannot_be_is_refused(changed, words):
    given = gate_files()
    said = {**json.loads(given[EDIT_FILE]), **changed}
    with pytest.raises(EditNotApplied, match=words):
        read_edit({**given, EDIT_FILE: json.dumps(said).encode()})


def test_a_gate_without_a_member_or_a_file_is_refused():
    given = gate_files()
    said = json.loads(given[EDIT_FILE])
    del said["base_build"]
    with pytest.raises(EditNotApplied, match="base_build"):
        read_edit({**given, EDIT_FILE: json.dumps(said).encode()})
    with pytest.raises(EditNotApplied, match=TENSORS_FILE):
        read_edit({EDIT_FILE: given[EDIT_FILE]})
    with pytest.raises(EditNotApplied, match="cannot be read"):
        read_edit({**given, TENSORS_FILE: b"nonsense"})


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("weights", None, "the arrays of logistic are"),
        ("weights", np.ones(4), "weights has the shape"),
        ("intercept", np.ones(1), "intercept has the shape"),
        ("weights", np.full(WIDTH, np.nan), "weights holds numbers that are not finite"),
        ("scale", np.zeros(WIDTH), "scale is not above 0"),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(name, array, words):
    given = gate_files()
    arrays = {**load(given[TENSORS_FILE]), name: array}
    with pytest.raises(EditNotApplied, match=words):
        read_edit({**given, TENSORS_FILE: save({n: a for n, a in arrays.items() if a is not None})})
