"""Qwen3 and Qwen3.5 of Alibaba Cloud, with their thinking switched off.

Told `enable_thinking=False`, their templates open the answer with an empty think block. Decoding is what the model
cards recommend for answers without thinking.
"""

from __future__ import annotations

from dd_core.subjects.layout import Layer, Layout
from dd_core.subjects.subject import Decoding, Hub, Subject

_NOT_THINKING = (("enable_thinking", False),)
_QWEN3 = Decoding(temperature=0.7, top_p=0.8, top_k=20)
_QWEN3_LAYERS = (Layer("full", heads=16, kv_heads=8, head_size=128),) * 28
# Three gated delta nets, then one layer of softmax attention.
_HYBRID = (
    *(Layer("linear", heads=16, kv_heads=16, head_size=128),) * 3,
    Layer("full", heads=8, kv_heads=2, head_size=256),
)

ENTRIES = (
    Subject(
        name="qwen3-0.6b",
        family="qwen3",
        source=Hub("Qwen/Qwen3-0.6B"),
        licence="Apache-2.0",
        disk_mb=1520,
        layout=Layout(
            hidden_size=1024, vocab_size=151936, context=40960, n_parameters=596_049_920, layers=_QWEN3_LAYERS
        ),
        decoding=_QWEN3,
        end_tokens=("<|endoftext|>",),
        template_arguments=_NOT_THINKING,
        dtype="bfloat16",
    ),
    Subject(
        name="qwen3-1.7b",
        family="qwen3",
        source=Hub("Qwen/Qwen3-1.7B"),
        licence="Apache-2.0",
        disk_mb=4080,
        layout=Layout(
            hidden_size=2048, vocab_size=151936, context=40960, n_parameters=1_720_574_976, layers=_QWEN3_LAYERS
        ),
        decoding=_QWEN3,
        end_tokens=("<|endoftext|>",),
        template_arguments=_NOT_THINKING,
        dtype="bfloat16",
    ),
    Subject(
        name="qwen3.5-0.8b",
        family="qwen3.5",
        source=Hub("Qwen/Qwen3.5-0.8B"),
        licence="Apache-2.0",
        disk_mb=1800,
        layout=Layout(
            hidden_size=1024,
            vocab_size=248320,
            context=262144,
            n_parameters=752_393_024,
            layers=_HYBRID * 6,
            gated=True,
        ),
        decoding=Decoding(temperature=1.0, top_p=1.0, top_k=20, presence_penalty=2.0),
        end_tokens=("<|endoftext|>",),
        template_arguments=_NOT_THINKING,
        dtype="bfloat16",
    ),
)
