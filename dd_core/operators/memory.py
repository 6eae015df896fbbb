"""How much memory a fit or an answer will take, before anything is loaded, and how much it took.

Arithmetic over a subject's layout: each term is one thing that PyTorch really holds, found by listing what autograd
saves, and the sum was held against fits that were made. Light: torch is asked for nothing but a GPU's own figures.
Knows no study and no machine. What it leaves out: a soft cap on the logits (Gemma 4 keeps the vocabulary once more),
DeepSpeed's buffers, and reading hidden states. Estimates for a GPU rest on the same terms and were not measured.
"""

from __future__ import annotations

import contextlib
import functools
import resource
import sys
from dataclasses import dataclass, fields
from pathlib import Path

from dd_core.errors import StudyFailed
from dd_core.subjects.layout import Layer, Layout, Which

MB = 1024**2

PROCESS_MB = 600
"""A worker without a model: 517 MB with Ray, torch, transformers, TRL and PEFT imported, 590 MB in a first fit."""

HEAP = 1.5
"""What the process grows by over what tensors hold: freed blocks under 32 MB stay in the C library's heap, with holes.
Measured 1.0 to 1.6 on 30 layers and 1.7 on four, where what one layer needs for the moment is a larger part; 1.0 with
every block mapped by itself (MALLOC_MMAP_THRESHOLD_)."""

GPU_HEAP = 1.1
"""The same of torch's allocator on a GPU, which rounds blocks up and splits them."""

WEIGHT_BYTES = {"float32": 4, "bfloat16": 2}

SAVED_BYTES = {"float32": 4.0, "bfloat16": 3.3}
"""Of one number that autograd keeps. In bfloat16 norms and the inputs of A are kept in float32: 76 to 86% of 4."""

ADAPTER_BYTES = 16
"""Of a trained number: itself, its gradient, and AdamW's two moments, all in float32."""


@dataclass(frozen=True)
class Peak:
    """The most memory at one time, in bytes, by what takes it.

    Args:
        process: the interpreter and its libraries; on a GPU nothing.
        weights: of the subject.
        adapter: the trained numbers with gradients and moments; while generating, nothing.
        layers: what the layers keep for the backward pass; while generating, the caches of keys and values.
        scores: what is held for each word of the vocabulary.
    """

    process: int
    weights: int
    adapter: int
    layers: int
    scores: int

    @property
    def total(self) -> int:
        """All of it, in bytes."""
        return sum(int(getattr(self, field.name)) for field in fields(self))


def fit_peak(
    layout: Layout,
    *,
    which: Which,
    rank: int,
    texts: int,
    tokens: int,
    labelled: int | None = None,
    dropout: bool = False,
    dtype: str = "float32",
    device: str = "cpu",
) -> Peak:
    """The most memory that a LoRA fit takes, at the start of a backward pass.

    In 25 fits of smollm2-135m and of four of its layers, 1 to 16 texts of 64 to 1,024 tokens, it was 0.94 to 1.20 times
    what the process then had at its peak.

    Args:
        which: the modules that have an adapter, "attention" or "all".
        texts: in one forward pass: rows of a batch, or twice its pairs, both answers being read side by side. The
            log-probabilities of a reference are computed before, without gradients, and need less.
        tokens: of the longest text; the others are padded to it.
        labelled: tokens of one text that are learnt, for which alone the vocabulary is scored; all if left out.
        dropout: whether inputs of A are dropped, which gives each module a copy of its own.
        dtype: of the weights.

    Raises:
        InputError: `which` is neither.
    """
    covered = layout.covered(which)
    first = min(covered, default=layout.n_layers)  # below the first adapter nothing is kept: no gradient goes there
    saved = sum(_saved(layout, layout.layers[i], which, rank, tokens, dropout) for i in range(first, layout.n_layers))
    trained = sum(rank * sum(_shape(layout, layer, name)) for layer in layout.layers for name in layer.modules(which))
    learnt = texts * (tokens if labelled is None else min(labelled, tokens))
    heap = HEAP if device == "cpu" else GPU_HEAP
    return Peak(
        process=_process(device),
        weights=layout.n_parameters * WEIGHT_BYTES[dtype],
        adapter=trained * ADAPTER_BYTES,
        layers=round(heap * texts * tokens * saved * SAVED_BYTES[dtype]),
        # Logits or their gradient, and their log-softmax, in float32: measured 2.1 numbers a word and labelled token.
        scores=round(heap * learnt * layout.vocab_size * 4 * 2),
    )


def generation_peak(
    layout: Layout, *, rows: int, prompt: int, budget: int, dtype: str = "float32", device: str = "cpu"
) -> Peak:
    """The most memory that writing one block of answers takes.

    In two blocks of smollm2-135m, of 64 and 32 answers, it was 1.21 and 1.23 times what was measured.

    Args:
        rows: answers side by side.
        prompt: tokens of the longest prompt.
        budget: tokens that an answer may have.
    """
    size, width = WEIGHT_BYTES[dtype], feed_forward(layout)
    whole = prompt + budget
    cache = first = step = 0
    for layer in layout.layers:
        narrow, wide = layer.kv_heads * layer.head_size, layer.width
        # Of a gated delta net one matrix a head, in float32, however long the text.
        state = 2 * narrow * whole * size if layer.softmax else layer.heads * layer.head_size**2 * 4
        cache += state if layer.own_kv else 0
        # One layer at a time: the prompts in one pass, and every step keys and values put together and spread to heads.
        first = max(first, prompt * (3 * width + 4 * layout.hidden_size + 4 * wide + prompt) * size)
        step = max(step, whole * 2 * (narrow + wide) * size if layer.softmax else 0)
    heap = HEAP if device == "cpu" else GPU_HEAP
    return Peak(
        process=_process(device),
        weights=layout.n_parameters * size,
        adapter=0,
        layers=round(heap * rows * (cache + max(first, step))),
        # Scores as computed, in float32, after the processors, and a copy.
        scores=round(heap * rows * layout.vocab_size * 4 * 4),
    )


@functools.cache
def feed_forward(layout: Layout) -> int:
    """Width of the feed-forward layers, from the parameters that embedding and attention leave.

    At most eight times the hidden size, the widest there is: the embeddings that Gemma 4 has in each layer would count.
    """
    attention = sum(
        inputs * outputs
        for layer in layout.layers
        for name in layer.modules("all")
        if not name.startswith("mlp.")
        for inputs, outputs in [_shape(layout, layer, name, width=0)]
    )
    left = layout.n_parameters - layout.vocab_size * layout.hidden_size - attention
    return min(max(left // (3 * layout.hidden_size * layout.n_layers), layout.hidden_size), 8 * layout.hidden_size)


def _process(device: str) -> int:
    return PROCESS_MB * MB if device == "cpu" else 0


def _saved(layout: Layout, layer: Layer, which: Which, rank: int, tokens: int, dropout: bool) -> float:
    """Numbers that one layer keeps for each token until the backward pass has come by, as autograd was seen to."""
    hidden, width, wide = layout.hidden_size, feed_forward(layout), layer.width
    modules = layer.modules(which)
    # Of the feed-forward part: the gate, its activation, and what that multiplies.
    saved = 3.0 * width + rank * len(modules)
    if layer.softmax:
        # Residuals before both norms, one norm's output; queries, keys and values (spread to all heads), the output,
        # and what norms of queries and keys add (Qwen3's; Llama keeps 4 widths); the mask, in float32, in each layer.
        saved += 3 * hidden + 5 * wide + layer.kv_heads * layer.head_size + layer.heads + tokens
        saved += 4 * wide if layout.gated else 0
    else:
        # A gated delta net without its own kernel: 22 numbers for each of the width, and chunks of 64 squared.
        saved += 2 * hidden + 22 * wide + 400 * layer.heads
    if any(one.attention == "sliding" for one in layout.layers):
        saved += 3 * hidden  # Gemma has norms after both parts too
    if which == "all":
        saved += hidden + width
    if dropout:
        # A dropped copy and its mask for each module, less the input that they would have shared.
        saved += 1.5 * sum(_shape(layout, layer, name)[0] for name in modules)
    return saved


def _shape(layout: Layout, layer: Layer, path: str, width: int | None = None) -> tuple[int, int]:
    """Inputs and outputs of a linear module. `width` is that of the feed-forward layers, where it is known."""
    hidden, wide, narrow = layout.hidden_size, layer.width, layer.kv_heads * layer.head_size
    inner = feed_forward(layout) if width is None else width
    return {
        "q_proj": (hidden, wide * (2 if layout.gated else 1)),
        "k_proj": (hidden, narrow),
        "v_proj": (hidden, narrow),
        "o_proj": (wide, hidden),
        "in_proj_qkv": (hidden, 2 * narrow + wide),
        "in_proj_z": (hidden, wide),
        "in_proj_b": (hidden, layer.heads),
        "in_proj_a": (hidden, layer.heads),
        "out_proj": (wide, hidden),
        "gate_proj": (hidden, inner),
        "up_proj": (hidden, inner),
        "down_proj": (inner, hidden),
    }[path.rpartition(".")[2]]


def claim_gpu(peak: Peak, share: float) -> None:
    """Refuses what this GPU cannot hold, and keeps this process to its part; asked before the subject is loaded.

    Args:
        peak: the most that the trial will take, for `device="cuda"`.
        share: of the GPU that the trial was given; more than 1 counts as 1, a trial's own model being on one device.

    Raises:
        StudyFailed: less than that is free, or the share is smaller.
    """
    import torch

    part = min(share, 1.0)
    torch.cuda.set_per_process_memory_fraction(part)
    free, total = torch.cuda.mem_get_info()
    there = min(free + torch.cuda.memory_reserved(), total * part)
    if peak.total > there:
        raise StudyFailed(
            f"memory: about {peak.total / MB:,.0f} MB of the GPU are needed, and {there / MB:,.0f} of "
            f"{total / MB:,.0f} MB are there: take a smaller batch_size with a larger gradient_accumulation, or a "
            "larger gpus_per_trial"
        )


def reset_peak(device: str) -> None:
    """Lets `peak_mb` begin anew, where the system allows it: on a GPU, and on Linux with a writable /proc."""
    if device != "cpu":
        import torch

        torch.cuda.reset_peak_memory_stats()
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb(device: str) -> float:
    """The most memory in MB since `reset_peak`: of torch's on a GPU, else the resident size of this process.

    A process keeps much of what it once had, so that after another fit its size is not all this fit's own. Where the
    peak cannot be reset (macOS, a /proc that is not writable) it is that of the process so far.
    """
    if device != "cpu":
        import torch

        return float(torch.cuda.max_memory_allocated() / MB)
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    # In kB on Linux, in bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MB if sys.platform == "darwin" else 1024)
