"""TRL's trainers as they are used here: the order of the rows, the loss over labelled tokens, nothing told to anybody.

What both methods share is that a step is the same step however many workers take part: the rows come in one order, the
last step is filled up with rows that teach nothing, and the loss is a sum over the step divided by what was summed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import torch
from datasets import Dataset
from torch.nn import functional
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_trainer import SFTTrainer

from dd_core.operators.examples import IGNORED


class Order(torch.utils.data.Sampler[int]):
    """A permutation of the items for every epoch, from (seed, epoch) alone; blanks fill it up to a multiple of `fill`.

    Args:
        n: items; the blank one comes after them.
        epoch: asked when a pass begins, so that a fit that goes on from a checkpoint goes on in its own epoch.
    """

    def __init__(self, n: int, seed: int, fill: int, epoch: Any) -> None:
        self._n, self._seed, self._epoch = n, seed, epoch
        self._blanks = -n % fill

    def __len__(self) -> int:
        return self._n + self._blanks

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self._epoch())
        yield from torch.randperm(self._n, generator=generator).tolist()
        yield from [self._n] * self._blanks


class _Steady:
    """What both trainers do otherwise than TRL; goes before TRL's class. The last item of their data is blank."""

    args: Any
    accelerator: Any
    state: Any
    train_dataset: Any
    model: Any

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        # One worker needs no blanks: its last batch may be smaller.
        world = self.args.world_size
        fill = world * self.args.per_device_train_batch_size if world > 1 else 1
        n = len(self.train_dataset) - 1
        step = world * self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        steps_per_epoch = -(-n // step)
        return Order(n, self.args.seed, fill, lambda: self.state.global_step // steps_per_epoch)

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, torch.Tensor]], device: Any) -> torch.Tensor:
        """What the step's loss is divided by, counted over all workers."""
        count = torch.stack([self._count(batch["labels"]) for batch in batch_samples]).sum().to(device)
        return self.accelerator.gather(count).sum() if self.args.world_size > 1 else count

    def _count(self, labels: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def _averaged(self, total: torch.Tensor, n: Any) -> torch.Tensor:
        """This worker's share of the step's loss; workers' gradients are averaged, and the sum is what is wanted."""
        return total / n * self.accelerator.num_processes

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # Without the tokenizer and the pickled arguments; PEFT would ask the Hub whether embeddings were resized.
        os.makedirs(output_dir or self.args.output_dir, exist_ok=True)
        self.model.save_pretrained(output_dir or self.args.output_dir, save_embedding_layers=False)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """A checkpoint needs none."""

    def _send_telemetry(self) -> None:
        """TRL would tell the Hub of every fit; this platform tells nobody."""


def labelled_logits(trainer: Any, model: Any, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [labelled tokens, vocabulary] that predict the labelled tokens, and where these are [texts, longest - 1].

    The head scores the vocabulary at those tokens alone; TRL's own losses score every position on a CPU, which was 57%
    of a step's time.
    """
    labelled = inputs["labels"][:, 1:] != IGNORED

    def at_labels(_: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (args[0][:, :-1][labelled].unsqueeze(0), *args[1:])

    head = trainer.accelerator.unwrap_model(model).get_output_embeddings()
    with head.register_forward_pre_hook(at_labels):
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
    return outputs.logits[0].float(), labelled


class SftTrainer(_Steady, SFTTrainer):
    """Mean negative log-likelihood of the labelled tokens of a step."""

    loss_is_scaled_for_ga: bool | None = True  # type: ignore[assignment]

    def _count(self, labels: torch.Tensor) -> torch.Tensor:
        return (labels[:, 1:] != IGNORED).sum()

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The labelled tokens' share of the step's loss."""
        logits, labelled = labelled_logits(self, model, inputs)
        total = functional.cross_entropy(logits, inputs["labels"][:, 1:][labelled], reduction="sum")
        n = labelled.sum() if num_items_in_batch is None else num_items_in_batch
        loss = self._averaged(total, n)
        return (loss, logits) if return_outputs else loss


class DpoTrainer(_Steady, DPOTrainer):
    """Preferences against a reference whose log-probabilities were computed before the first step.

    The reference is the adapter that the fit starts from: it is asked once for every pair and then needed no longer,
    so neither a second model nor a second adapter is held while training.

    Attributes:
        rewards: per step, (share of the pairs whose preferred answer gained more, mean margin of the implicit rewards).
    """

    loss_is_scaled_for_ga = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model.delete_adapter("ref")  # TRL's copy of the adapter, from which nothing differs yet
        self.rewards: list[tuple[float, float]] = []
        self._seen: list[torch.Tensor] = []
        self._refer()

    def _refer(self) -> None:
        """Notes with every item the log-probabilities of its two answers before training."""
        items, size = self.train_dataset.to_list(), self.args.per_device_train_batch_size
        training = self.model.training
        self.model.eval()
        with torch.no_grad(), self.accelerator.autocast():
            for start in range(0, len(items), size):
                several = items[start : start + size]
                batch = {name: tensor.to(self.args.device) for name, tensor in self.data_collator(several).items()}
                chosen, rejected = self.log_probabilities(self.model, batch).chunk(2)
                for item, pair in zip(several, zip(chosen.tolist(), rejected.tolist(), strict=True), strict=True):
                    item["reference"] = pair
        self.model.train(training)
        self.train_dataset = Dataset.from_list(items)

    def log_probabilities(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """[texts] log-probability of each text's labelled tokens together."""
        logits, labelled = labelled_logits(self, model, inputs)
        losses = functional.cross_entropy(logits, inputs["labels"][:, 1:][labelled], reduction="none")
        return -logits.new_zeros(labelled.shape).masked_scatter(labelled, losses).sum(dim=1)

    def _count(self, labels: torch.Tensor) -> torch.Tensor:
        return (labels != IGNORED).any(dim=1).sum() // 2

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The pairs' share of the step's loss: -log sigmoid(beta (log-ratio of chosen - log-ratio of rejected))."""
        ratios = self.log_probabilities(model, inputs) - inputs["reference"]
        chosen, rejected = ratios.chunk(2)
        real = (inputs["labels"] != IGNORED).any(dim=1).chunk(2)[0]
        margins = self.beta * (chosen - rejected)
        total = -functional.logsigmoid(margins[real]).sum()
        n = real.sum() if num_items_in_batch is None else num_items_in_batch
        self._seen.append(margins[real].detach())
        loss = self._averaged(total, n)
        return (loss, margins) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Notes the step's implicit rewards beside its loss."""
        if "loss" in logs and self._seen:
            margins = torch.cat(self._seen).float()
            told = torch.stack([(margins > 0).float().sum(), margins.sum(), margins.new_tensor(len(margins))])
            if self.args.world_size > 1:
                told = self.accelerator.gather(told.unsqueeze(0)).sum(dim=0)
            right, total, n = told.tolist()
            self.rewards.append((right / n, total / n))
        self._seen.clear()
        super().log(logs, start_time)
