"""Training data that is finished: a folder that `ddsweep distill` wrote, or the rows that ship with the project.

Whatever a folder holds has passed the gate, or it is refused here. Knows no teacher and no gate.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from dd_core.canonical import sha256
from dd_core.distill.rows import CARD_FILE, DPO_FILE, EMBEDDED, SFT_FILE, Pair, Sample, embedded, load_rows
from dd_core.errors import InputError
from dd_core.records import Prompt, TrainingRow


@dataclass(frozen=True)
class Data:
    """Gated rows.

    Args:
        hash: `sha256:` and the digest of the data card, which names the digests of the rows; a manifest carries it.
    """

    samples: tuple[Sample, ...]
    pairs: tuple[Pair, ...]
    hash: str

    def training_rows(
        self,
        prompts: Sequence[Prompt],
        answers: Mapping[str, str],
        correct: Mapping[str, bool],
        n: int,
        seed: int,
    ) -> list[TrainingRow]:
        """`n` of the samples, or all, each kind in its share; what is known of the base's answers plays no part."""
        rng = random.Random(f"data rows {seed}")
        by_kind: dict[str, list[Sample]] = defaultdict(list)
        for sample in self.samples:
            by_kind[sample.kind].append(sample)
        placed = []
        for members in by_kind.values():
            rng.shuffle(members)
            placed += [((rank + 0.5) / len(members), sample) for rank, sample in enumerate(members)]
        placed.sort(key=lambda member: member[0])
        return [_training(sample) for _, sample in placed[:n]]

    def placebo_rows(self, rows: Sequence[TrainingRow], seed: int) -> list[TrainingRow]:
        """The same prompts and answers, each answer at another prompt: style without content.

        Answers stay among those of their kind, unless a kind has a single row: then all are dealt together.
        """
        rng = random.Random(f"data placebo {seed}")
        by_kind: dict[str, list[int]] = defaultdict(list)
        alone = 1 in Counter(row.kind for row in rows).values()
        for i, row in enumerate(rows):
            by_kind["all" if alone else row.kind].append(i)
        given: dict[int, int] = {}
        for places in by_kind.values():
            order = rng.sample(places, len(places))
            given |= dict(zip(order, order[1:] + order[:1], strict=True))
        return [row.model_copy(update={"completion": rows[given[i]].completion}) for i, row in enumerate(rows)]


def load_data(source: str, domain: str) -> Data:
    """The rows of `embedded`, or of a folder.

    Raises:
        InputError: there is no such data, it is of another domain, its gate refused it, or a file was changed since.
    """
    if source == EMBEDDED:
        folder: Path | Traversable = embedded(domain)
        name = f"{EMBEDDED}/{domain}"
    else:
        folder, name = Path(source), source
    digest = _checked(folder, name, domain)
    samples, pairs = load_rows(folder, name)
    return Data(tuple(samples), tuple(pairs), digest)


def _checked(folder: Path | Traversable, name: str, domain: str) -> str:
    """The hash of the card, once the rows are found to be those it speaks of."""
    try:
        data = (folder / CARD_FILE).read_bytes()
        card = json.loads(data)
        named, refused, of = dict(card["files"]), list(card["refused"]), card["domain"]
    except FileNotFoundError:
        raise InputError(f"{name}: holds no {CARD_FILE}; give a folder that `ddsweep distill` wrote") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{name}/{CARD_FILE}: is no data card: {error}") from None
    if of != domain:
        raise InputError(f"{name}: holds rows of domain {of!r}, and the study asks for {domain!r}")
    if refused or set(named) != {SFT_FILE, DPO_FILE}:
        raise InputError([f"{name}: these rows did not pass the gate and cannot be trained on", *map(str, refused)])
    for file, wanted in named.items():
        if not (folder / file).is_file() or sha256((folder / file).read_bytes()) != wanted:
            raise InputError(f"{name}/{file}: is not the file that {CARD_FILE} speaks of; distil again, or restore it")
    return f"sha256:{sha256(data)}"


def _training(sample: Sample) -> TrainingRow:
    """A sample as an operator takes it."""
    return TrainingRow(
        prompt_id=sample.prompt_id,
        prompt=sample.asked[-1].content,
        completion=sample.answer,
        kind=sample.kind,
        history=sample.asked[:-1],
    )
