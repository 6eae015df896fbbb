"""The adapters of a study as its store holds them, and what is known of each: where, of what and how it was made.

Reads commits, train blocks and the verdict, checks what it reads, and writes nothing. Loads no model and no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dd_core.canonical import digest
from dd_core.claim import preregistration_hash
from dd_core.errors import InputError, IntegrityError, unknown
from dd_core.objectives import chosen
from dd_core.operators.model_card import Base, Facts, Origin
from dd_core.study import Study, parse_study
from dd_core.subjects.formats import CONFIG_FILE, EDIT_FILE, WEIGHTS_FILE
from dd_core.subjects.registry import SUBJECTS, Hub, get_subject, recorded
from storage.blocks import Block, Blocks, FileEntry
from storage.commits import StudyFiles
from storage.sealed import unseal

# As `dd_core.subjects.edits.adapter` has them, which needs torch: a table of adapters does without.


@dataclass(frozen=True)
class StudyAdapter:
    """An adapter that a trial of a study made.

    Args:
        commit: the trial's.
        block: the one that holds it.
        config: `adapter_config.json`.
        stages: keys of the blocks that its fit went on from.
    """

    commit: Mapping[str, Any]
    block: Block
    config: Mapping[str, Any]
    stages: tuple[str, ...]

    @property
    def trial(self) -> str:
        """The name of the trial's commit."""
        return str(self.commit["trial"])

    @property
    def label(self) -> str:
        """What a person calls the trial."""
        return str(self.spec["label"])

    @property
    def spec(self) -> Mapping[str, Any]:
        """The trial's specification."""
        return self.commit["spec"]

    @property
    def placebo(self) -> bool:
        """Whether it was trained on the placebo's rows."""
        return bool(self.spec["edit"]["data"] == "placebo")


class StudyAdapters:
    """What a store holds of a study, as far as adapters go.

    Attributes:
        commits: by the label of the trial.
        labels: of the trials with an adapter: the search in its order, then the confirmation.

    Raises:
        IntegrityError: a commit is damaged.
    """

    def __init__(self, files: StudyFiles) -> None:
        self.files = files
        self.blocks = Blocks(files.store)
        self.manifest = files.manifest()
        self.commits = {commit["spec"]["label"]: commit for commit in files.commits().values()}
        with_one = [commit for commit in self.commits.values() if _entries(commit)]
        self.labels = [commit["spec"]["label"] for commit in sorted(with_one, key=_place)]

    @property
    def study(self) -> Study:
        """The study as its manifest has it.

        Raises:
            InputError: it was written by another version, and is not understood by this one.
        """
        return parse_study(self.manifest.get("study"), f"{self.files.folder}/manifest.json")

    @cached_property
    def verdict(self) -> dict[str, Any] | None:
        """`verdict.json`, None while there is none.

        Raises:
            IntegrityError: it is no JSON object.
        """
        name = f"{self.files.folder}/verdict.json"
        try:
            verdict = json.loads(self.files.store.read(name))
        except KeyError:
            return None
        except (ValueError, RecursionError) as error:
            raise IntegrityError(f"{name} is damaged: {error!s:.200}; run: ddsweep falsify") from error
        if not isinstance(verdict, dict) or "verdict" not in verdict:
            raise IntegrityError(f"{name} is damaged: it holds no verdict; run: ddsweep falsify")
        return verdict

    @cached_property
    def progress(self) -> str:
        """How far the study is, for as long as there is no verdict."""
        from sweeps.plan import outline

        done = len(self.commits)
        try:
            planned = f" of {sum(len(trials) for _, trials in outline(self.study))}"
        except InputError:
            planned = ""
        return f"no verdict yet: {done}{planned} trials done"

    @cached_property
    def answer(self) -> tuple[str | None, list[str]]:
        """The search's trial whose configuration was confirmed, and the trials that confirmed it on the subject.

        While nothing is confirmed, the second is empty and the first the best so far; None where nothing has a score.
        """
        subject = self.manifest["study"]["subject"]
        confirmed = [
            label
            for label in self.labels
            if (spec := self.commits[label]["spec"])["role"] == "confirm"
            and spec["subject"] == subject
            and spec["edit"]["data"] == "treated"
        ]
        tried = [label for label in self.labels if self.commits[label]["spec"]["role"] == "search"]
        if confirmed:
            config = self.commits[confirmed[0]]["spec"]["edit"]["config"]
            tried = [label for label in tried if self.commits[label]["spec"]["edit"]["config"] == config]
            return (tried[0] if tried else None), confirmed
        return self._best_so_far(tried), []

    def _best_so_far(self, tried: list[str]) -> str | None:
        """Of the scored trials at the largest budget the one that would be confirmed."""
        scored = [self.commits[label] for label in tried if self.commits[label].get("score") is not None]
        halving = self.study.search.halving
        if halving is not None and scored:
            budgets = [commit["spec"]["edit"]["config"][halving.setting] for commit in scored]
            scored = [commit for commit, budget in zip(scored, budgets, strict=True) if budget == max(budgets)]
        pairs = [
            (commit["score"], tuple(commit["objectives"]) if "objectives" in commit else None) for commit in scored
        ]
        return scored[chosen(pairs)]["spec"]["label"] if scored else None

    def all(self) -> list[StudyAdapter]:
        """Every adapter, in the order of `labels`.

        Raises:
            InputError: there are none.
            IntegrityError: as `adapter`.
        """
        if not self.labels:
            failed = sum(commit.get("status") != "done" for commit in self.commits.values())
            done = f"{len(self.commits)} trials are done, {failed} of them failed"
            if any(commit.get("blocks", {}).get("train") for commit in self.commits.values()):
                raise InputError(f"{self.files.study_id}: the edits of {self.study.operator.name} are no adapters")
            raise InputError(f"{self.files.study_id}: there is no adapter yet, {done}; run the study")
        return [self.adapter(label) for label in self.labels]

    def adapter(self, name: str) -> StudyAdapter:
        """The adapter of one trial, by its label or the name of its commit.

        Raises:
            InputError: there is no such trial, or it has no adapter; the line says why.
            IntegrityError: its block is damaged or missing, or is not the one that the trial was scored with.
        """
        by_name = {commit["trial"]: commit for commit in self.commits.values()} | self.commits
        if name not in by_name:
            raise InputError(f"--trial: {unknown('trial', name, self.labels or self.commits)}")
        commit = by_name[name]
        entries = _entries(commit)
        if commit.get("status") != "done":
            raise InputError(f"--trial: {name} failed and has no adapter: {commit.get('error')}")
        if not entries:
            edited = commit.get("blocks", {}).get("train")
            why = f"{self.study.operator.name} makes none" if edited else "its answers are the unedited model's"
            raise InputError(f"--trial: {name} has no adapter: {why}")
        try:
            block = _block(self.files, entries[-1])
            config = json.loads(self.blocks.read(block, CONFIG_FILE))
            self.blocks.read(block, WEIGHTS_FILE)
        except IntegrityError as error:
            there = f"{self.files.store.uri}/{self.files.folder}/commits/{commit['trial']}.json"
            raise IntegrityError(f"{error}; a finished trial is not looked at again: remove {there} first") from None
        return StudyAdapter(commit, block, config, tuple(entry["key"] for entry in entries[:-1]))

    def contents(self, adapter: StudyAdapter) -> dict[str, bytes]:
        """The two files of an adapter, as stored.

        Raises:
            IntegrityError: one is damaged or missing.
        """
        return {name: self.blocks.read(adapter.block, name) for name in (CONFIG_FILE, WEIGHTS_FILE)}

    def facts(self, adapter: StudyAdapter) -> Facts:
        """What the card of an adapter says."""
        inputs = _inputs(self.files, adapter.block)
        study, claim, planned = (self.manifest.get(name) or {} for name in ("study", "claim", "planned"))
        metrics, spec = adapter.block.meta, adapter.spec
        origin = Origin(
            study=self.files.study_id,
            preregistration=preregistration_hash(self.manifest),
            trial=adapter.trial,
            trial_label=adapter.label,
            block=adapter.block.key,
            statement=str(claim.get("statement", "")),
            claim=_claim(claim),
            disposition=str(study.get("disposition", "")),
            operator=str(claim.get("operator", "")),
            settings=spec["edit"]["config"],
            train_seed=spec["edit"]["train_seed"],
            placebo=adapter.placebo,
            data=_data(str(study.get("prompts", {}).get("teacher", "base")), adapter.placebo),
            data_card=planned.get("data"),
            prompt_set=str(planned.get("prompt_set", "")),
            progress=self.progress,
            stages=adapter.stages,
            metrics=metrics,
            verdict=self.verdict,
        )
        rank, alpha, scaling = sizes(adapter.config)
        return Facts(
            name=f"{self.files.study_id} {adapter.label}",
            base=base_of(spec["subject"], inputs.get("subject")),
            rank=rank,
            alpha=alpha,
            scaling=scaling,
            modules=tuple(metrics.get("modules", ())),
            norm=float(metrics.get("delta_norm", float("nan"))),
            sha256=digest({name: adapter.block.files[name].sha256 for name in (CONFIG_FILE, WEIGHTS_FILE)}),
            origin=origin,
        )


def base_of(name: str, build: Mapping[str, Any] | None = None) -> Base:
    """What is known of a base model by our name for it, or by what an adapter from elsewhere calls it.

    Args:
        build: what entered the adapter's key of it; what is prepared here if left out.
    """
    key = subject_named(name)
    if key is None:
        return Base(name)
    subject = get_subject(key)
    build = build if build is not None else recorded(subject) or {}
    hub = subject.source if isinstance(subject.source, Hub) else None
    return Base(
        name=key,
        hub_id=hub.repo_id if hub else None,
        revision=build.get("commit") if hub else None,
        licence=subject.licence,
        weights=build.get("weights", {}),
        n_layers=subject.layout.n_layers,
        without_softmax=tuple(set(range(subject.layout.n_layers)) - set(subject.layout.softmax_layers)),
        dtype=subject.dtype,
        has_towers=subject.layout.root.startswith("model.language_model"),
        chat_template=subject.chat_template,
        template_arguments=dict(subject.template_arguments),
    )


def subject_named(name: str) -> str | None:
    """Our name of a base model that is called by it or by its id on the Hub; None for a stranger."""
    hubs = {subject.source.repo_id: key for key, subject in SUBJECTS.items() if isinstance(subject.source, Hub)}
    return name if name in SUBJECTS else hubs.get(name)


def sizes(config: Mapping[str, Any]) -> tuple[int, float, float]:
    """Rank, alpha and scaling by an `adapter_config.json`."""
    rank, alpha = config["r"], config["lora_alpha"]
    return rank, alpha, alpha / (rank**0.5 if config.get("use_rslora") else rank)


def _entries(commit: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The train blocks of a commit, each going on from the one before; the last is the adapter that was used. None
    where what was made is no adapter."""
    made = list(commit.get("blocks", {}).get("train", []))
    last = made[-1]["files"] if made else ()
    return made if CONFIG_FILE in last and EDIT_FILE not in last else []


def _place(commit: Mapping[str, Any]) -> tuple[bool, list[Any]]:
    """Search before confirmation, and numbers in a label as numbers: search-10-0 comes after search-9-0."""
    words = [(word.isdigit(), int(word) if word.isdigit() else word) for word in commit["spec"]["label"].split("-")]
    return commit["spec"]["role"] != "search", words


def _described(files: StudyFiles, key: str) -> dict[str, Any]:
    """The `block.json` of a train block."""
    name = f"blocks/train/{key}/block.json"
    try:
        data = files.store.read(name)
    except KeyError:
        raise IntegrityError(f"{name} is missing; ddsweep store verify says what mends it") from None
    try:
        return unseal(data, name)
    except IntegrityError as error:
        raise IntegrityError(f"{error}; ddsweep store verify says what mends it") from error


def _block(files: StudyFiles, entry: Mapping[str, Any]) -> Block:
    """The train block that a commit names.

    Raises:
        IntegrityError: it is missing, damaged, or not of the bytes that the commit speaks of.
    """
    value = _described(files, entry["key"])
    found = {name: FileEntry(**one) for name, one in value["files"].items()}
    if {name: one.sha256 for name, one in found.items()} != entry["files"]:
        raise IntegrityError(
            f"blocks/train/{entry['key']} is not what the trial was scored with: it was made anew with other bytes; "
            "run the study in a new store"
        )
    return Block(value["kind"], value["key"], value["created"], value["meta"], found)


def _inputs(files: StudyFiles, block: Block) -> dict[str, Any]:
    """What entered a block's key."""
    return dict(_described(files, block.key).get("inputs", {}))


def _claim(claim: Mapping[str, Any]) -> str:
    words = f"{claim.get('axis')} {claim.get('direction')}s"
    if claim.get("anchor"):
        words += f"; {claim['anchor']} holds within {claim.get('margin', 0):.0%} of its range"
    return words


def _data(teacher: str, placebo: bool) -> str:
    """What was trained on, in a sentence; a folder's path is not in it."""
    known = {
        "base": "Its own answers to the study's training prompts: hedged where they were wrong, asserted where right.",
        "gold": "The gold claims of the study's training prompts: hedged where nothing is certain, asserted elsewhere.",
        "embedded": "The training rows that ship with the project.",
    }
    words = known.get(teacher, "Training rows of the study's owner, gated by `ddsweep distill`.")
    return words + (" As a placebo, the answers were dealt anew among the prompts." if placebo else "")
