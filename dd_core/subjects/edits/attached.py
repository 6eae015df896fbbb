"""Adapters on a model, by PEFT, and how whatever was done to a model is undone.

Knows no subject and no tokenizer.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedConfig

from dd_core.errors import EditNotApplied, IntegrityError
from dd_core.subjects.edits.adapter import Adapter
from dd_core.subjects.edits.sites import Sites
from dd_core.subjects.quiet import quiet

_BASE = "__base__"
"""PEFT's name for "no adapter" in a batch of several."""

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


@contextlib.contextmanager
def restored(model: Any) -> Iterator[None]:
    """Whatever PEFT, TRL or a trainer does to `model` inside is undone on leaving; the base weights are not copied.

    Undone are layers wrapped by adapters, instance attributes set on any module (TRL patches `forward` of the model,
    PEFT leaves `peft_config`), hooks (transformers leaves some where hidden states were asked for, and a flag that
    says so), the configurations, model tags, training mode and gradients.
    """
    modules = [
        (module, set(module.__dict__), {name: dict(module.__dict__[name]) for name in _HOOKS})
        for module in model.modules()
    ]
    configs = [
        (one, {name: value if _is_config(value) else copy.deepcopy(value) for name, value in vars(one).items()})
        for root in (model.config, model.generation_config)
        for one in _nested(root)
    ]
    tags = {name: copy.deepcopy(model.__dict__[name]) for name in {"model_tags"} & set(model.__dict__)}
    try:
        yield
    finally:
        for path, module in list(model.named_modules()):
            if isinstance(module, BaseTunerLayer):
                parent, _, child = path.rpartition(".")
                setattr(model.get_submodule(parent), child, module.get_base_layer())
        for module, known, hooks in modules:
            for name in set(module.__dict__) - known:
                del module.__dict__[name]
            for name, registered in hooks.items():
                module.__dict__[name].clear()
                module.__dict__[name].update(registered)
        for config, before in configs:
            config.__dict__.clear()
            config.__dict__.update(before)
        model.__dict__.update(tags)
        model.eval().requires_grad_(False)
        model.zero_grad(set_to_none=True)


def _is_config(value: Any) -> bool:
    return isinstance(value, PreTrainedConfig)


def _nested(config: Any) -> Iterator[Any]:
    """The configuration and those inside it, each the very object that modules hold."""
    yield config
    for value in vars(config).values():
        if _is_config(value):
            yield from _nested(value)


def weights_sum(model: Any, expected: int | None = None) -> int:
    """Sum of all bytes of the model's own weights as whole numbers, 32 bits wide, modulo 2**64.

    A change of one weight changes it; changes that cancel, or two weights that swap, do not. It is there to notice an
    edit that was not undone, at a tenth of a hash's time. Weights of adapters are no part of it.

    Args:
        expected: an earlier sum.

    Raises:
        IntegrityError: the sum is another: the weights are not what they were.
    """
    total = 0
    for name, tensor in model.state_dict().items():
        if "lora_" not in name:
            words = {2: torch.int16, 4: torch.int32}.get(tensor.element_size(), torch.uint8)
            total += int(tensor.contiguous().view(words).sum(dtype=torch.int64))
    total %= 1 << 64
    if expected is not None and total != expected:
        raise IntegrityError("the weights of the base model are not what they were before the fit")
    return total


def put_on(model: Any, adapters: Mapping[str, Adapter], sites: Sites) -> None:
    """Wraps the layers of `model` that `adapters`, by id, reach, and tells each of them which rows ask for which.

    PEFT gives each row its adapter; its share is multiplied by the row's strength, and 0 leaves the base model's output
    exactly. Comes off with `restored`.

    Raises:
        EditNotApplied: an adapter's layers or shapes are not the model's, or a row asks for two adapters.
    """
    # PEFT makes names of submodules of them, so the ids themselves will not do.
    names = {edit: f"e{n}" for n, edit in enumerate(adapters)}
    per_row = [
        _one(row, [names[edit] for edit, _ in wanted if edit in names]) for row, wanted in enumerate(sites.asked)
    ]
    wrapped: PeftModel | None = None
    with quiet():
        for edit, adapter in adapters.items():
            wrapped = _attach(wrapped or model, names[edit], adapter)
    model.eval()
    running = sites.per_row(lambda rows: [per_row[row] for row in rows.tolist()])

    def tell(_module: Any, inputs: Any, arguments: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return inputs, arguments | {"adapter_names": running()}

    factors = {edit: sites.per_row(_factors(sites.strengths(edit, 0.0), name, per_row)) for edit, name in names.items()}
    layers: dict[str, Any] = {path: one for path, one in model.named_modules() if isinstance(one, LoraLayer)}
    for path, layer in layers.items():
        layer.register_forward_pre_hook(tell, with_kwargs=True)
        for edit, name in names.items():
            if name in layer.lora_B:
                sites.expect(edit, path)
                layer.lora_B[name].register_forward_hook(_scaling(edit, path, factors[edit], sites))


def _one(row: int, names: list[str]) -> str:
    if len(names) > 1:
        raise EditNotApplied(f"row {row} asks for {len(names)} adapters; a row can have one")
    return names[0] if names else _BASE


def _factors(strengths: torch.Tensor, name: str, per_row: list[str]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Of some rows those with the adapter `name`, in their order: PEFT hands its layers just these."""

    def choose(rows: torch.Tensor) -> torch.Tensor:
        return strengths[[row for row in rows.tolist() if per_row[row] == name]].view(-1, 1, 1)

    return choose


def _scaling(edit: str, path: str, factors: Callable[[], torch.Tensor], sites: Sites) -> Any:
    def scale(_module: Any, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        sites.reached(edit, path)
        return output * factors().to(output.dtype)

    return scale


def _attach(model: Any, name: str, adapter: Adapter) -> PeftModel:
    try:
        config = LoraConfig(**{**lora_settings(adapter.config), "inference_mode": True})
        if isinstance(model, PeftModel):
            model.add_adapter(name, config, low_cpu_mem_usage=True)
        else:
            model = get_peft_model(model, config, adapter_name=name, low_cpu_mem_usage=True)
        _same_modules(model, name, adapter)
        set_peft_model_state_dict(model, adapter.weights, adapter_name=name, low_cpu_mem_usage=True)
    except (ValueError, RuntimeError, TypeError) as error:
        raise EditNotApplied(f"the adapter does not fit the model: {error}") from error
    return model


def lora_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Of an adapter's configuration what decides its layers, their shapes and their scaling."""
    keep = (
        "r",
        "lora_alpha",
        "use_rslora",
        "target_modules",
        "exclude_modules",
        "layers_to_transform",
        "layers_pattern",
    )
    return {"task_type": "CAUSAL_LM", **{name: config[name] for name in keep if config.get(name) is not None}}


def _same_modules(wrapped: PeftModel, name: str, adapter: Adapter) -> None:
    """The layers that were wrapped must be the layers that the file holds: PEFT alone would pass over the rest."""
    found = {
        path.removeprefix("base_model.model.")
        for path, layer in wrapped.named_modules()
        if isinstance(layer, LoraLayer) and name in layer.lora_A
    }
    for what, names in (
        ("not in the model", set(adapter.modules) - found),
        ("not in the file", found - set(adapter.modules)),
    ):
        if names:
            raise EditNotApplied(f"{len(names)} of the adapter's layers are {what}: {', '.join(sorted(names)[:3])}")
