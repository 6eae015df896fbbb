"""What is said of memory before a fit holds against a fit that is made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dd_core.operators.memory import ADAPTER_BYTES, MB, feed_forward, fit_peak, generation_peak
from dd_core.subjects.layout import Layer, Layout
from dd_core.subjects.registry import get_subject

pytestmark = pytest.mark.alone

FORGOTTEN = """
import json
from dd_core.operators.memory import MB, peak_mb, reset_peak
held = bytearray(b"x") * (200 * MB)
high = peak_mb("cpu")
del held
reset_peak("cpu")
print(json.dumps([high, peak_mb("cpu")]))
"""

SMOLLM = get_subject("smollm2-135m").layout

# 64 texts of 256 tokens of a tiny model: what its two layers and the scores keep stands out from a process of 530 MB.
FIT = """
import json, sys, tempfile
from pathlib import Path
from dd_core.operators.fitting import FitTask
from dd_core.operators.lora_config import LoraSftConfig
from dd_core.operators.memory import peak_mb, reset_peak
from dd_core.records import Teaching, TrainingRow
from dd_core.subjects.engine import Engine
texts, tokens = json.loads(sys.argv[1])
engine = Engine("tiny-llama", 2)
rows = [TrainingRow(prompt_id=str(i), prompt="Who?", completion="the" + " the" * tokens, kind="assert")
        for i in range(texts)]
config = LoraSftConfig(batch_size=texts, max_length=tokens, max_truncated=1.0)
reset_peak("cpu")
before = peak_mb("cpu")
with tempfile.TemporaryDirectory() as folder:
    FitTask("lora_sft", config, 0, Teaching(rows=tuple(rows))).run(engine, Path(folder), lambda event: None)
print(json.dumps([before, peak_mb("cpu")]))
"""


def test_the_estimate_is_near_what_a_fit_takes_and_not_far_under_it():
    done = subprocess.run(
        [sys.executable, "-c", FIT, "[64, 256]"], capture_output=True, text=True, check=True, env=os.environ
    )
    before, peak = json.loads(done.stdout.splitlines()[-1])
    estimate = fit_peak(get_subject("tiny-llama").layout, which="attention", rank=8, texts=64, tokens=256)
    assert peak - before > 100
    assert 0.85 < estimate.total / MB / peak < 1.3


@pytest.mark.parametrize(
    ("subject", "width"),
    [("smollm2-135m", 1536), ("qwen3-0.6b", 3072), ("qwen3-1.7b", 6144), ("smollm2-1.7b", 8192), ("gemma4-e2b", 12288)],
)
def test_the_width_of_the_feed_forward_layers_follows_from_the_parameters(subject: str, width: int):
    assert feed_forward(get_subject(subject).layout) == width


def test_rows_cost_their_layers_and_their_scores_and_nothing_else():
    one, two = (fit_peak(SMOLLM, which="attention", rank=8, texts=n, tokens=128) for n in (4, 8))
    assert (two.layers, two.scores) == (2 * one.layers, 2 * one.scores)
    assert (two.process, two.weights, two.adapter) == (one.process, one.weights, one.adapter)


def test_the_vocabulary_is_scored_at_the_tokens_that_are_learnt_alone():
    some = fit_peak(SMOLLM, which="attention", rank=8, texts=4, tokens=128, labelled=32)
    assert some.scores * 4 == fit_peak(SMOLLM, which="attention", rank=8, texts=4, tokens=128).scores


def test_a_masks_share_grows_with_the_square_of_the_length():
    peaks = [fit_peak(SMOLLM, which="attention", rank=8, texts=1, tokens=n).layers for n in (1024, 2048)]
    assert peaks[1] > 2.1 * peaks[0]


def test_every_trained_number_has_a_gradient_and_two_moments():
    per_layer = 2 * (576 + 576) + 2 * (576 + 192)
    peak = fit_peak(SMOLLM, which="attention", rank=8, texts=1, tokens=64)
    assert peak.adapter == 8 * per_layer * 30 * ADAPTER_BYTES


def test_layers_below_the_first_adapter_keep_nothing():
    softmax, linear = Layer("full", 4, 2, 16), Layer("linear", 4, 4, 16)

    def layers(*several: Layer) -> int:
        layout = Layout(64, 500, 2048, 0, several)
        return fit_peak(layout, which="attention", rank=8, texts=4, tokens=64).layers

    assert layers(linear, linear, softmax) == layers(softmax) < layers(softmax, linear)


def test_dropout_and_all_modules_cost_more():
    plain, dropped, whole = (
        fit_peak(SMOLLM, which=which, rank=8, texts=4, tokens=128, dropout=dropout).layers
        for which, dropout in (("attention", False), ("attention", True), ("all", False))
    )
    assert plain < dropped and plain < whole


def test_a_longer_budget_costs_its_cache_of_keys_and_values():
    short, long = (generation_peak(SMOLLM, rows=64, prompt=64, budget=n) for n in (64, 128))
    assert long.layers - short.layers >= 64 * 64 * 30 * 2 * 192 * 4
    assert (long.weights, long.scores) == (short.weights, short.scores)


def test_a_gpu_holds_no_interpreter_and_half_the_weights():
    here, there = (
        fit_peak(SMOLLM, which="attention", rank=8, texts=4, tokens=128, dtype=dtype, device=device)
        for dtype, device in (("float32", "cpu"), ("bfloat16", "cuda"))
    )
    assert (there.process, 2 * there.weights) == (0, here.weights)
    assert there.total < here.total


def test_a_peak_is_forgotten_when_it_is_reset():
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("this system does not let a process reset its peak")
    # In a process of its own: what earlier tests freed stays in the heap, and would be filled without a new peak.
    high, low = json.loads(subprocess.check_output([sys.executable, "-c", FORGOTTEN], text=True))
    assert low < high - 150


def test_planning_needs_no_torch():
    code = "import sys, dd_core.operators.memory; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=Path.cwd()).strip() == "False"
