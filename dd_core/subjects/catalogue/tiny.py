"""Stand-ins for the real subjects: the same class and the same kinds of layers, of a few thousand random weights.

They answer in seconds what a test asks of a layout. What they say means nothing.
"""

from __future__ import annotations

from typing import Any

from dd_core.subjects.layout import Layer, Layout
from dd_core.subjects.subject import Random, Subject

_SIZES = (
    ("hidden_size", 64),
    ("intermediate_size", 128),
    ("num_hidden_layers", 2),
    ("num_attention_heads", 4),
    ("num_key_value_heads", 2),
    ("head_dim", 16),
    ("max_position_embeddings", 2048),
)
# Six layers of delta nets and two of softmax attention. At the others' spread of weights (0.3) they would amplify
# rounding until logits differ by 3e-4 with padding; at 0.1 it is 5e-6, and eight prompts still get eight answers.
_DELTA_NET = (
    ("initializer_range", 0.1),
    ("linear_num_key_heads", 2),
    ("linear_num_value_heads", 4),
    ("linear_key_head_dim", 8),
    ("linear_value_head_dim", 16),
)
# A window of 16 tokens is shorter than most prompts. The last three layers have no keys and values of their own.
_WINDOWS = (
    ("layer_types", ("sliding_attention", "sliding_attention", "full_attention") * 2),
    ("sliding_window", 16),
    ("global_head_dim", 32),
    ("num_kv_shared_layers", 3),
    ("use_double_wide_mlp", True),
    ("hidden_size_per_layer_input", 8),
    ("final_logit_softcapping", 30.0),
)
_CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_THINKING = _CHATML.removesuffix("{% endif %}") + (
    "{{ '<think>\n' if enable_thinking is not defined or enable_thinking else '<think>\n\n</think>\n\n' }}{% endif %}"
)
_TURNS = (
    "{{ bos_token }}{% for message in messages %}{{ 'model' if message['role'] == 'assistant' else message['role'] }}"
    "{{ ':\n' + message['content'] + '<|endoftext|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'model:\n' }}{% endif %}"
)
_ATTENTION = Layer("full", heads=4, kv_heads=2, head_size=16)


def _sizes(**changed: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((name, changed.get(name, size)) for name, size in _SIZES)


def _layout(n_parameters: int, *layers: Layer, **more: Any) -> Layout:
    return Layout(hidden_size=64, vocab_size=493, context=2048, n_parameters=n_parameters, layers=layers, **more)


def _gemma4(own_kv: bool) -> tuple[Layer, ...]:
    sliding = Layer("sliding", heads=4, kv_heads=1, head_size=16, own_kv=own_kv)
    return (sliding, sliding, Layer("full", heads=4, kv_heads=1, head_size=32, own_kv=own_kv))


ENTRIES = (
    Subject(
        name="tiny-llama",
        family="tiny-llama",
        source=Random("llama", 0, _SIZES),
        licence="Apache-2.0",
        disk_mb=1,
        layout=_layout(105_600, _ATTENTION, _ATTENTION),
        chat_template=_CHATML,
    ),
    Subject(
        name="tiny-llama-mha",
        family="tiny-llama-mha",
        source=Random("llama", 2, _sizes(num_key_value_heads=4)),
        licence="Apache-2.0",
        disk_mb=1,
        layout=_layout(113_792, *(Layer("full", heads=4, kv_heads=4, head_size=16),) * 2),
        chat_template=_CHATML,
    ),
    Subject(
        name="tiny-qwen3",
        family="tiny-qwen3",
        source=Random("qwen3", 1, _SIZES),
        licence="Apache-2.0",
        disk_mb=1,
        layout=_layout(105_664, _ATTENTION, _ATTENTION),
        chat_template=_CHATML,
    ),
    Subject(
        name="tiny-qwen3.5",
        family="tiny-qwen3.5",
        source=Random("qwen3_5_text", 3, (*_sizes(num_hidden_layers=8), *_DELTA_NET)),
        licence="Apache-2.0",
        disk_mb=1,
        layout=_layout(
            353_616, *(*(Layer("linear", heads=4, kv_heads=2, head_size=16),) * 3, _ATTENTION) * 2, gated=True
        ),
        chat_template=_THINKING,
        template_arguments=(("enable_thinking", False),),
    ),
    Subject(
        name="tiny-gemma4",
        family="tiny-gemma4",
        source=Random("gemma4", 4, (*_sizes(num_hidden_layers=6, num_key_value_heads=1), *_WINDOWS)),
        licence="Apache-2.0",
        disk_mb=2,
        layout=_layout(361_528, *_gemma4(own_kv=True), *_gemma4(own_kv=False), root="model.language_model.layers"),
        turn_end="<|endoftext|>",
        chat_template=_TURNS,
    ),
)
