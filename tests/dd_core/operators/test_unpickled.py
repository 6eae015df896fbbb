"""What PyTorch pickles comes back from safetensors and JSON as it was."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import torch

from dd_core.operators.unpickled import pickled, unpickled


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def there_and_back(value: Any) -> Any:
    files = unpickled("state.pt", saved(value))
    assert set(files) == {"state.pt.safetensors", "state.pt.json"}
    return torch.load(io.BytesIO(pickled("state.pt", files)), weights_only=True)


def test_the_state_of_an_optimizer_is_the_same_bits() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=1 / 3, betas=(0.9, 0.95))
    layer(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    back = there_and_back(state)
    assert back["param_groups"] == state["param_groups"]
    assert back["state"].keys() == state["state"].keys() == {0, 1}
    for i, of_one in state["state"].items():
        for name, tensor in of_one.items():
            assert torch.equal(back["state"][i][name], tensor) and back["state"][i][name].dtype == tensor.dtype


def test_plain_values_keep_their_kinds() -> None:
    value = {"a": (1, 2.5, None), 3: [True, "x", {}], "inf": math.inf, "tiny": 5e-324, "none": [], "t": ()}
    assert there_and_back(value) == value
    assert isinstance(there_and_back(value)["a"], tuple) and isinstance(there_and_back({1: 2}), dict)


def test_views_of_one_tensor_are_kept_apart() -> None:
    whole = torch.arange(6.0)
    back = there_and_back([whole[:3], whole[3:], whole.reshape(2, 3).T])
    assert torch.equal(back[2], whole.reshape(2, 3).T) and torch.equal(back[1], whole[3:])


def test_what_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TypeError, match="a dtype has no place in a checkpoint"):
        unpickled("state.pt", saved({"dtype": torch.float32}))
