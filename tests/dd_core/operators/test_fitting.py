"""How a step's rows are dealt to workers."""

from __future__ import annotations

import pytest

from dd_core.errors import TrialFailed
from dd_core.operators.fitting import FitTask, Shared, Workers
from dd_core.operators.lora_config import LoraSftConfig
from dd_core.records import Teaching


@pytest.mark.parametrize("world", [1, 2, 4, 8, 16, 32])
def test_the_rows_of_a_step_are_the_same_whatever_the_number_of_workers(world):
    share = Shared.of(8, 4, world)
    assert share.per_device * share.accumulation * world == 32
    assert share.per_device <= 8


def test_no_worker_holds_more_rows_at_once_than_one_alone_would():
    assert Shared.of(6, 4, 2) == Shared(6, 2)
    assert Shared.of(5, 4, 2) == Shared(5, 2)
    assert Shared.of(4, 3, 2) == Shared(3, 2)


def test_rows_that_cannot_be_dealt_evenly_are_a_failed_trial(engine, rows, tmp_path):
    task = FitTask("lora_sft", LoraSftConfig(batch_size=5), 0, Teaching(rows=tuple(rows)))
    with pytest.raises(TrialFailed, match="5 rows a step .* cannot be dealt to 2 workers"):
        task.run(engine, tmp_path, lambda _: None, workers=Workers(0, 2))
    assert not any("lora" in name for name, _ in engine.model.named_modules())
