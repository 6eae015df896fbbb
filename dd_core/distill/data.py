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
from typing import TypeVar

from dd_core.canonical import sha256
from dd_core.distill.rows import CARD_FILE, DPO_FILE, EMBEDDED, SFT_FILE, AnyRow, Pair, Sample, embedded, load_rows
from dd_core.errors import InputError
from dd_core.prompts import load_domain
from dd_core.records import Prompt, Teaching, TrainingPair, TrainingRow, prompt_id

_R = TypeVar("_R", Sample, Pair)


@dataclass(frozen=True)
class Data:
    """Gated rows.

    Args:
        hash: `sha256:` and the digest of the data card, which names the digests of the rows; a manifest carries it.
    """

    samples: tuple[Sample, ...]
    pairs: tuple[Pair, ...]
    hash: str

    def teaching(
        self,
        prompts: Sequence[Prompt],
        answers: Mapping[str, str],
        correct: Mapping[str, bool],
        n_rows: int,
        n_pairs: int,
        seed: int,
    ) -> Teaching:
        """So many of the rows and of the pairs, or all; what is known of the base's answers plays no part."""
        rows = [_training(sample) for sample in _in_shares(self.samples, n_rows, f"data rows {seed}")]
        pairs = [_preference(pair) for pair in _in_shares(self.pairs, n_pairs, f"data pairs {seed}")]
        return Teaching(rows=tuple(rows), pairs=tuple(pairs))

    def placebo(self, teaching: Teaching, seed: int) -> Teaching:
        """The same prompts and answers, each answer, or pair of answers, at another prompt: style without content."""
        rows, pairs = teaching.rows, teaching.pairs
        given = _dealt([row.kind for row in rows], f"data placebo {seed}")
        dealt = [row.model_copy(update={"completion": rows[i].completion}) for row, i in zip(rows, given, strict=True)]
        given = _dealt([pair.kind for pair in pairs], f"data placebo pairs {seed}")
        both = [
            pair.model_copy(update={"chosen": pairs[i].chosen, "rejected": pairs[i].rejected})
            for pair, i in zip(pairs, given, strict=True)
        ]
        return Teaching(rows=tuple(dealt), pairs=tuple(both))


def load_data(source: str, domain: str) -> Data:
    """The rows of `embedded`, or of a folder.

    Raises:
        InputError: there is no such data, it is of another domain, its gate refused it, a file was changed since, or
            rows ask what eval or fresh will ask.
    """
    if source == EMBEDDED:
        folder: Path | Traversable = embedded(domain)
        name = f"{EMBEDDED}/{domain}"
    else:
        folder, name = Path(source), source
    digest = _checked(folder, name, domain)
    samples, pairs = load_rows(folder, name)
    _refuse_test_prompts([*samples, *pairs], name, domain)
    return Data(tuple(samples), tuple(pairs), digest)


def _refuse_test_prompts(rows: Sequence[AnyRow], name: str, domain: str) -> None:
    """The gate looks for near duplicates as well; a domain may have got new prompts since."""
    held = {
        prompt.prompt_id for split, several in load_domain(domain).items() if split != "train" for prompt in several
    }
    told = [row.asked[-1].content for row in rows if {row.prompt_id, *_asks(row)} & held]
    if told:
        raise InputError(
            f"{name}: {len(told)} rows ask what eval or fresh asks, as {told[0][:80]!r} does: they would teach the "
            "test; take them out, and gate the rest with `ddsweep distill --rows`"
        )


def _asks(row: AnyRow) -> set[str]:
    """Ids of the prompts that the row asks: its last turn alone, and the conversation."""
    said = [message.content for message in row.asked if message.role != "system"]
    return {prompt_id(said[-1]), prompt_id("\n".join(said))}


def _in_shares(rows: Sequence[_R], n: int, seed: str) -> list[_R]:
    """`n` of the rows, or all, each kind in its share."""
    rng = random.Random(seed)
    by_kind: dict[str, list[_R]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row)
    placed = []
    for members in by_kind.values():
        rng.shuffle(members)
        placed += [((rank + 0.5) / len(members), row) for rank, row in enumerate(members)]
    placed.sort(key=lambda member: member[0])
    return [row for _, row in placed[:n]]


def _dealt(kinds: Sequence[str], seed: str) -> list[int]:
    """For each place the place whose answer it is given: another one of its kind, or of all if a kind is alone."""
    rng = random.Random(seed)
    by_kind: dict[str, list[int]] = defaultdict(list)
    alone = 1 in Counter(kinds).values()
    for i, kind in enumerate(kinds):
        by_kind["all" if alone else kind].append(i)
    given: dict[int, int] = {}
    for places in by_kind.values():
        order = rng.sample(places, len(places))
        given |= dict(zip(order, order[1:] + order[:1], strict=True))
    return [given[i] for i in range(len(kinds))]


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
    absent = [file for file in named if not (folder / file).is_file()]
    if absent:
        lacking = " and ".join(absent)
        raise InputError(f"{name}: {lacking} is missing, which {CARD_FILE} speaks of; distil again, or restore it")
    for file, wanted in named.items():
        if sha256((folder / file).read_bytes()) != wanted:
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


def _preference(pair: Pair) -> TrainingPair:
    """A pair as an operator takes it."""
    return TrainingPair(
        prompt_id=pair.prompt_id,
        prompt=pair.asked[-1].content,
        chosen=pair.chosen[0].content,
        rejected=pair.rejected[0].content,
        kind=pair.kind,
        history=pair.asked[:-1],
    )
