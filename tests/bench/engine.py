"""What the engine takes: strengths side by side, states captured, its loop beside transformers' own, memory."""

from __future__ import annotations

import functools
import multiprocessing
import resource
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.harness import benchmark
from tests.bench.warm import timed

if TYPE_CHECKING:
    from dd_core.subjects.engine import Engine, Request

SUBJECT, THREADS = "smollm2-135m", 2
STRENGTHS = (0.0, 0.5, 1.5, 2.0)
HEADS = ((10, 0), (10, 4), (17, 2), (20, 7), (25, 1))
TAGS = ("h_last", "mean_last4", "mean_tail32", "o_proj.10", "o_proj.20")
N_CAPTURED, BLOCK = 10_000, 64
THINGS = ("river", "lamp", "ship", "garden", "violin", "storm", "baker", "library")


def asked(n: int) -> list[Request]:
    """Requests for the facts of the eval split: questions whose answers are as long as answers are."""
    from dd_core.prompts import choose
    from dd_core.subjects.engine import Request

    return [Request(prompt.prompt_id, prompt.prompt) for prompt in choose("facts", "eval", n, 0)]


def stories(n: int) -> list[Request]:
    """Requests whose answers go on beyond any small budget."""
    from dd_core.subjects.engine import Request

    things = [f"{one} and a {other}" for one in THINGS for other in THINGS][:n]
    return [Request(thing, f"Write a long story about a {thing}, in many chapters.") for thing in things]


@functools.cache
def engine() -> Engine:
    """The subject with heads that can be tempered."""
    from dd_core.subjects.edits import heads
    from dd_core.subjects.engine import Engine

    made = Engine(SUBJECT, THREADS)
    made.add_edit("heads", heads.files(HEADS, heads.head_norm(made.model, made.subject.layout, HEADS)))
    return made


def plain(requests: list[Request], budget: int) -> Any:
    """The same batch by `model.generate`, padded on the left: token ids [rows, budget]."""
    import torch

    from dd_core.subjects.quiet import quiet

    here = engine()
    torch.set_num_threads(THREADS)
    inputs = here.inputs(requests)
    width, pad = max(map(len, inputs)), here.tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in inputs])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in inputs])
    with quiet(), torch.inference_mode():
        return here.model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=budget)[:, width:]


def ratio(one: Callable[[], Any], other: Callable[[], Any], n: int) -> float:
    """Median over `n` turns of the time of `one` over that of `other`, run behind one another, each first in turn."""
    found = []
    for turn in range(n):
        calls = (one, other) if turn % 2 else (other, one)
        times = {call: timed(call) for call in calls}
        found.append(times[one] / times[other])
    return statistics.median(found)


@functools.cache
def swept() -> tuple[float, int, int, int]:
    """Time one by one over time in a batch, turns, answers that differ, answers."""
    from dd_core.subjects.parting import parting
    from dd_core.subjects.registry import Decoding

    here, decoding, n = engine(), Decoding(max_new_tokens=48), 2
    requests = [replace(one, edit="heads", strength=strength) for strength in STRENGTHS for one in asked(8)]
    together: list[list[int]] = []
    alone: list[list[int]] = []

    def batch() -> None:
        together[:] = here.tokens(requests, decoding)

    def singly() -> None:
        alone[:] = [here.tokens([request], decoding)[0] for request in requests]

    batch()
    figure = ratio(singly, batch, n)
    differ = [i for i in range(len(requests)) if together[i] != alone[i]]
    for i in differ:
        where = parting(here, requests[i], alone[i], together[i])
        print(f"  {requests[i].prompt_id} at {requests[i].strength:g}: {where}")
    return figure, n, len(differ), len(requests)


@benchmark(
    "strengths in one batch", unit="x", target=6.0, better="higher", against="one prompt and one strength at a time"
)
def strengths() -> tuple[float, int]:
    """Answers a minute: 8 prompts at 4 strengths of tempered heads, up to 48 tokens."""
    return swept()[:2]


@benchmark("answers changed by the batch", unit="share", target=0.01, against="the same answers one by one")
def changed() -> tuple[float, int]:
    """Of the same 32 answers; where each of those parts from its single twin is printed."""
    *_, differ, n = swept()
    return differ / n, n


@benchmark("capture", unit="x", target=1.1, against="the same batch without")
def capture() -> tuple[float, int]:
    """Wall time of 32 answers of up to 48 tokens with five tags of states, over that without any."""
    from dd_core.subjects.registry import Decoding

    here, requests, decoding, n = engine(), asked(32), Decoding(max_new_tokens=48), 4
    here.generate(requests[:4], decoding)
    return ratio(
        lambda: here.generate_and_read(requests, decoding, TAGS), lambda: here.generate(requests, decoding), n
    ), n


@benchmark("answers of one length", unit="x", target=1.05, against="plain model.generate at the same batch")
def one_length() -> tuple[float, int]:
    """Wall time of 32 answers that the budget of 32 tokens cuts, over that of transformers' own loop."""
    from dd_core.subjects.registry import Decoding

    here, requests, decoding, n = engine(), stories(32), Decoding(max_new_tokens=32), 5
    if {len(ids) for ids in here.tokens(requests, decoding)} != {32}:
        raise RuntimeError("an answer ended before the budget")
    return ratio(lambda: here.tokens(requests, decoding), lambda: plain(requests, 32), n), n


@benchmark(
    "answers of many lengths", unit="x", target=1.5, better="higher", against="plain model.generate at the same batch"
)
def many_lengths() -> tuple[float, int]:
    """Wall time of transformers' own loop over that of the engine: a block of 64 answers under the default budget."""
    from dd_core.subjects.registry import Decoding

    here, requests, decoding, n = engine(), asked(64), Decoding(), 2
    here.tokens(requests[:4], decoding)
    found = ratio(lambda: plain(requests, decoding.max_new_tokens), lambda: here.tokens(requests, decoding), n)
    lengths = sorted(len(ids) for ids in here.tokens(requests, decoding))
    print(f"  answers of {lengths[0]} to {lengths[-1]} tokens, mean {statistics.mean(lengths):.0f}")
    return found, n


def resident() -> tuple[list[float], float]:
    """Memory of this process in MB behind each block of 64 short answers, their states written to disk; its peak."""
    import numpy as np
    import psutil

    from dd_core.subjects.engine import Engine, Request
    from dd_core.subjects.registry import Decoding

    here, decoding, found = Engine("tiny-gemma4", 1), Decoding(max_new_tokens=8), []
    layers = range(here.subject.layout.n_layers)
    tags = ["h_last", "mean_last4", "mean_tail32", *(f"{what}.{i}" for what in ("h_last", "o_proj") for i in layers)]
    with tempfile.TemporaryDirectory() as folder:
        for done in range(0, N_CAPTURED, BLOCK):
            requests = [Request(f"p{i}", f"What is {i} and {i}?") for i in range(done, min(done + BLOCK, N_CAPTURED))]
            _, states = here.generate_and_read(requests, decoding, tags)
            for tag, array in states.items():
                np.save(Path(folder, f"{done}-{tag}.npy"), array)
            found.append(psutil.Process().memory_info().rss / 2**20)
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@functools.cache
def captured() -> tuple[dict[int, float], float]:
    """Answers → median memory in MB over the five blocks up to there, and the peak; in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found, peak = pool.apply(resident)
    marks = {n: statistics.median(found[n // BLOCK - 5 : n // BLOCK]) for n in (1_000, 5_000, N_CAPTURED)}
    print("  " + ", ".join(f"{mb:.0f} MB at {n:,}" for n, mb in marks.items()))
    return marks, peak


@benchmark("memory at 10,000 captured answers", unit="MB", target=2048, against="the limit of 2 GiB")
def memory() -> tuple[float, int]:
    """Peak of a process that writes them with tiny-gemma4, 15 tags of states, 4 KB an answer."""
    return captured()[1], N_CAPTURED


@benchmark("growth from 1,000 to 10,000 captured answers", unit="MB", target=10, against="states that are kept: 39 MB")
def growth() -> tuple[float, int]:
    """How much more memory that process holds at 10,000 answers than at 1,000."""
    marks, _ = captured()
    return marks[N_CAPTURED] - marks[1_000], N_CAPTURED - 1_000
