"""One trial, from its specification to its commit: fit the edit, generate every cell, judge, score, write.

All work goes through blocks, which also carry every dependency: a trial that needs the base's answers asks for their
block and finds it made, or makes it. Knows neither Ray nor the schedule; the judge pool and the wrapper around the
training loop are handed in.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa

from cluster import metrics
from dd_core.canonical import canonical
from dd_core.dispositions import SYSTEM_PROMPTS
from dd_core.errors import (
    EditInert,
    EditNotApplied,
    InputError,
    JudgesUnavailable,
    StoreError,
    SubjectUnavailable,
    TrialFailed,
)
from dd_core.judging import twice, with_twins
from dd_core.operators import OPERATORS, STAGES, Reads
from dd_core.operators.fitting import Fit, FitTask
from dd_core.prompts import choose, load_domain
from dd_core.records import JUDGEMENTS, PROMPTS, RESPONSES, TRIALS, LabelledAnswer, Prompt, Teaching
from dd_core.study import Study
from dd_core.subjects.engine import Request
from dd_core.subjects.formats import BLOCK_ROWS
from dd_core.subjects.loading import prepare
from dd_core.subjects.registry import identity
from judges import make_judge
from judges.base import JudgeRow, may_pass
from judges.validity import validity_reports
from storage import reopen_store
from storage.blocks import Block, Blocks, BlockSpec, Made
from storage.commits import StudyFiles
from storage.states import states_table
from sweeps.checkpoints import BlockCheckpoints
from sweeps.plan import Cell, EditSpec, TrialSpec
from sweeps.rows import (
    POSITION,
    Scored,
    fluency_rows,
    labelled,
    per_token,
    placed,
    probed_states,
    prompt_rows,
    said_of,
    search_score,
    state_rows,
    trained_on,
    trial_rows,
)
from sweeps.teaching import distiller_of, teaching_of
from sweeps.train import Fitter, directly
from sweeps.workshop import Report, Score, Workshop

_FIT = (
    "loss", "n_steps", "n_tokens", "n_rows", "n_truncated", "n_left_out", "accuracy", "margin", "peak_mb", "seconds",
)  # fmt: skip
"""What a commit repeats of its edit's metrics."""


@dataclass(frozen=True)
class Fitting:
    """Passes the steps of a fit on as events of a trial; it travels to workers."""

    report: Report

    def __call__(self, event: dict[str, Any]) -> None:
        self.report({"kind": "fit", **event})


class Workbench:
    """Holds what trials share in one process: the store, and the warm engine of the last subject.

    Args:
        study_id: where commits go.
        preregistration: the hash that enters the key of every fresh block.
        score: where judges run: (judge's label, rows of one block) → judgement rows.
        fit: where fits are made.
        report: receives progress events, each a dict with `kind`.
        asked: when the manifest was written, ISO 8601; "" where there is none.

    Not thread-safe: one trial at a time.
    """

    def __init__(
        self,
        study: Study,
        study_id: str,
        store_uri: str,
        preregistration: str,
        *,
        score: Score,
        fit: Fitter,
        report: Report,
        asked: str = "",
    ) -> None:
        self.study, self.preregistration = study, preregistration
        store = metrics.observed(reopen_store(store_uri))
        self.blocks = Blocks(store, metrics.block, asked)
        self.files = StudyFiles(store, study_id)
        self._fit, self._report = fit, report
        self._workshop = Workshop(
            self.blocks,
            threads=study.resources.threads,
            device=study.resources.device,
            judges=with_twins(study.judges),
            score=score,
            report=report,
        )
        self._labels = [spec.label for spec in study.judges]
        self._probes = study.claim.kind == "probe"
        self._guarded = not self._probes and study.intervenes
        self._records = OPERATORS[study.operator.name].records
        sizes = study.prompts
        self._prompts: dict[str, tuple[Prompt, ...]] = {
            split: choose(study.domain, split, getattr(sizes, split), sizes.seed)
            for split in ("train", "eval", "fresh")
        }

    def perform(self, spec: TrialSpec) -> dict[str, Any]:
        """Does the trial and returns its commit; what is already in the store is not done again.

        A trial that fails for its own reasons is committed as failed. Faults of the machine propagate, uncommitted.
        """
        done = self.files.find(spec.trial_id)
        if done is not None:
            return done
        began = time.monotonic()
        prepare(spec.subject, report=lambda line: self._report({"kind": "note", "text": line}))
        commit: dict[str, Any] = {
            "trial": spec.trial_id,
            "role": spec.role,
            "claimed": spec.claimed,
            "spec": canonical(spec),
            "status": "done",
            "error": None,
            "score": None,
            "tables": {},
        }
        try:
            commit |= self._work(spec)
        except (StoreError, SubjectUnavailable):
            raise
        except (TrialFailed, InputError, EditNotApplied) as failure:
            if isinstance(failure, EditInert | EditNotApplied):
                self._report({"kind": "inert"})
            commit |= {"status": "failed", "error": str(failure)}
        commit["seconds"] = round(time.monotonic() - began, 3)
        return self.files.commit(spec.trial_id, commit)

    def _work(self, spec: TrialSpec) -> dict[str, Any]:
        """What a trial adds to its commit: blocks, tables, and by its role a score, the judges' reports, the edit."""
        found: dict[str, Any] = {}
        fitted = self._edit(spec.subject, spec.edit) if spec.edit is not None else []
        edit = fitted[-1] if fitted else None
        cells = [(cell, self._cell(spec.subject, cell, edit if cell.strengths else None)) for cell in spec.cells]
        scored = [one for _, several in cells for one in several]
        found["blocks"] = {
            "train": [_entry(block) for block in fitted],
            "generate": [_entry(one.generated) for one in scored],
            "judge": [_entry(block) for one in scored for block in one.judged.values()],
        }
        others: list[Block] = []
        own = spec.subject == self.study.subject
        responses: list[dict[str, Any]] = []
        judgements: list[dict[str, Any]] = []
        states: list[dict[str, Any]] = []
        fluency: list[dict[str, Any]] = []
        for cell, several in cells:
            prompts = {prompt.prompt_id: prompt for prompt in self._prompts[cell.split]}
            for one in several:
                more_responses, more_judgements = placed(spec, cell, one, prompts)
                responses += more_responses
                judgements += more_judgements
                if self._probes:
                    states += state_rows(one, more_responses, None if own else spec.subject)
                if own and self._guarded and cell.split == "fresh" and cell.variant == "main":
                    block, likely = self._workshop.fluency(spec.subject, one.rows, self._prompts["fresh"])
                    others.append(block)
                    fluency += fluency_rows(likely, more_responses)
        tables: dict[str, pa.Table] = {}
        if cells:
            tables |= {"responses": RESPONSES.arrow(responses), "judgements": JUDGEMENTS.arrow(judgements)}
        if states:
            tables["states"] = states_table(states)
        if fluency:
            tables["fluency"] = pa.Table.from_pylist(fluency)
        splits = sorted({cell.split for cell in spec.cells}) if own and edit is None else []
        asked = [row for split in splits for row in prompt_rows(self._prompts[split])]
        if spec.role == "base":
            found["judges"], judged = self._validity()
            others += judged
            teaching, _, _ = self.teaching(spec.subject)
            known = self._prompts["train"]
            asked += trained_on(teaching, known, load_domain(self.study.domain)["train"]) if own else []
        if asked:
            tables["prompts"] = PROMPTS.arrow(asked)
        if spec.role == "search":
            baseline = self._cell(spec.subject, Cell(arm="baseline", split="eval"), None)
            self._refuse_silence(baseline)
            if self.study.claim.kind == "probe":
                assert edit is not None
                found |= self._probed(edit, baseline)
            else:
                tables["trials"] = TRIALS.arrow(trial_rows(spec.trial_id, responses, judgements))
                self._refuse_silence(scored)
                found |= search_score(self.study.claim_of(), spec.cells[0].strengths, scored, baseline)
        if edit is not None:
            found["fit"] = {name: edit.meta[name] for name in _FIT if name in edit.meta}
        if own and spec.claimed and spec.edit is not None and edit is not None:
            also, ranked = self._also_said(spec, cells, edit) if spec.edit.data == "treated" else ({}, [])
            others += ranked
            found["edit"] = said_of(spec.edit, edit.meta, also)
        for block in others:
            found["blocks"].setdefault(block.kind, []).append(_entry(block))
        found["tables"] = {name: self.files.write_table(spec.trial_id, name, table) for name, table in tables.items()}
        return found

    def _also_said(
        self, spec: TrialSpec, cells: Sequence[tuple[Cell, list[Scored]]], edit: Block
    ) -> tuple[dict[str, Any], list[Block]]:
        """What the confirmed answers tell of an edit: what was recorded at each token, and in how many directions the
        first fit moves the states of the base's answers, beside its control; and the blocks that were made for it."""
        fresh = [(cell, several) for cell, several in cells if cell.arm == "treated" and cell.split == "fresh"]
        told: dict[str, Any] = {}
        if self._records:
            told["per_token"] = per_token([one for cell, several in fresh if cell.variant == "main" for one in several])
        if self._guarded and any(cell.arm == "identity" for cell, _ in cells):
            assert spec.edit is not None
            try:
                placebo = self._edit(spec.subject, spec.edit.model_copy(update={"data": "placebo"}))[-1]
            except TrialFailed:  # the control's own trial will say so
                return told, []
            base = self._cell(spec.subject, Cell(arm="baseline", split="fresh", seed=fresh[0][0].seed), None)
            rows, prompts = base[0].rows, self._prompts["fresh"]
            block, rank = self._workshop.rank(spec.subject, rows, prompts, edit, placebo, fresh[0][0].strengths[0])
            return told | rank, [block]
        return told, []

    def _refuse_silence(self, scored: Sequence[Scored]) -> None:
        """Nothing, where a judge's endpoint answered at all: no configuration has failed because nobody did.

        Raises:
            JudgesUnavailable: it answered for no row on the claimed axis, or on the anchor.
        """
        claim = self.study.claim_of()
        for axis in filter(None, dict.fromkeys((claim.axis, claim.anchor))):
            said = [one for block in scored for one in block.judgements if one["axis"] == axis]
            if said and all(map(may_pass, said)):
                raise JudgesUnavailable(f"no row has a score on {axis}: {said[0]['error']}")

    def _validity(self) -> tuple[list[dict[str, Any]], list[Block]]:
        """What each judge of the study is worth on its domain, and the blocks that tell it; nothing of executed tests,
        which are no judge."""
        reports: list[dict[str, Any]] = []
        blocks: list[Block] = []
        for spec in map(twice, self.study.judges):
            judge = make_judge(spec)
            if judge.axes == ("passed",):
                continue

            def score(rows: Sequence[JudgeRow], label: str = spec.label) -> list[dict[str, Any]]:
                made, judgements = self._workshop.judge_all(label, rows)
                blocks.extend(made)
                return judgements

            reports += validity_reports(judge, self.study.domain, score if spec.model is not None else None)
        return reports, blocks

    def _probed(self, edit: Block, answers: Sequence[Scored]) -> dict[str, Any]:
        """What a probe's trial adds to its commit: how far over chance it tells eval's answers apart."""
        from dd_core.operators.sidecar import readout_auc

        claim = self.study.claim_of()
        states, labels = probed_states(answers, claim.axis, claim.cut_of(claim.axis))
        if len(set(labels.tolist())) < 2:  # no area is known, which the falsifier will say of the rows that count
            return {"objectives": [0.0, 0.0], "score": 0.0}
        files = {name: self.blocks.read(edit, name) for name in edit.files}
        found = [readout_auc(files, states, labels) - 0.5, 0.0]
        return {"objectives": found, "score": found[0]}

    def teaching(self, subject: str) -> tuple[Teaching, list[str], dict[str, np.ndarray]]:
        """What edits are fitted on, the keys of the blocks it was made from, and the states of its answers by tag.

        Raises:
            InputError: one of the two kinds of row would be too rare.
        """
        if not self.study.reads:
            return Teaching(), [], {}
        answers: dict[str, str] = {}
        correct: dict[str, bool] = {}
        reads: list[str] = []
        own: list[LabelledAnswer] = []
        states: dict[str, list[np.ndarray]] = {}
        prompts = self._prompts["train"]
        taught = self.study.taught
        if "answers" in self.study.reads or (taught and self.study.prompts.teacher == "base"):
            axis = "passed" if any(prompt.program is not None for prompt in prompts) else "correct"
            for scored in self._cell(subject, Cell(arm="baseline", split="train"), None):
                answers |= {row["prompt_id"]: row["response"] for row in scored.rows}
                correct |= {prompt: score >= 0.5 for prompt, score in scored.by_prompt(axis).items()}
                reads += [scored.generated.key, *(block.key for block in scored.judged.values())]
                own += labelled(scored, prompts)
                for tag, of_block in scored.states.items():
                    states.setdefault(tag, []).append(of_block)
        if self.study.prompts.teacher != "base":
            answers, correct = {}, {}
        teaching = teaching_of(self.study, prompts, answers, correct)
        if "answers" in self.study.reads:
            teaching = teaching.model_copy(update={"answers": tuple(own)})
        return teaching, reads, {tag: np.concatenate(parts) for tag, parts in states.items() if tag != POSITION}

    def _edit(self, subject: str, edit: EditSpec) -> list[Block]:
        """The blocks of the edit's stages; the last one is the edit."""
        operator = OPERATORS[self.study.operator.name]
        config: Any = operator.Config(**edit.config)
        teaching, reads, states = self.teaching(subject)
        if edit.data == "placebo":
            control = operator.placebo(config)
            if control is None:
                teaching = distiller_of(self.study).placebo(teaching, edit.train_seed or 0)
            config = control or config
        made: list[Block] = []
        stages = zip(operator.stages(config), operator.reads(config), strict=True)
        for (name, settings), column in stages:
            task = FitTask(name, settings, edit.train_seed or 0, teaching, states=states)
            made.append(self._stage(subject, task, column, reads if column else [], made[-1:]))
        return made

    def _stage(self, subject: str, task: FitTask, column: Reads | None, reads: list[str], start: list[Block]) -> Block:
        """One fit, which goes on from the edit in `start`, if there is one."""
        shared = STAGES[task.stage].shared
        inputs: dict[str, Any] = {
            **self._where_fitted(subject, shared),
            "operator": task.stage,
            "config": task.config,
            "train_seed": task.seed,
            "reads": [*reads, *(block.key for block in start)],
        }
        if column is not None:
            inputs[column] = getattr(task.teaching, column)
        for block in start:
            task = replace(task, start={name: self.blocks.read(block, name) for name in block.files})
        spec = BlockSpec("train", inputs)
        every = self.study.resources.checkpoint_steps if shared else 0
        checkpoints = BlockCheckpoints(self.blocks, spec.key, every) if every else None

        fits: list[Fit] = []

        def make() -> Made:
            fit = self._fit if shared else directly
            if not shared:
                self._report({"kind": "note", "text": f"making the edit ({task.stage})"})
            fits.append(fit(task, subject, lambda: self._workshop.engine(subject), Fitting(self._report), checkpoints))
            return Made(fits[0].files, fits[0].metrics)

        block = self.blocks.get_or_make(spec, make)
        if checkpoints is not None and fits:
            checkpoints.clear(block.meta["n_steps"])
        return block

    def _where_fitted(self, subject: str, trained: bool) -> dict[str, Any]:
        """What of the machines enters a fit's key. One worker makes the bytes of none; sums of several differ in the
        last bits, and ZeRO's arithmetic is its own. What is not trained is made beside the model, on its device."""
        given = self.study.resources
        if not trained:
            libraries = {name: version(name) for name in ("numpy", "scipy", "scikit-learn")}
            return {**identity(subject, given.threads, given.device), **libraries}
        shared: dict[str, Any] = {"workers": given.workers} if given.workers > 1 else {}
        if given.zero_stage:
            shared |= {"zero_stage": given.zero_stage, "deepspeed": version("deepspeed")}
        return {
            **identity(subject, given.threads, given.fit_device),
            "accelerate": version("accelerate"),
            **shared,
        }

    def _cell(self, subject: str, cell: Cell, edit: Block | None) -> list[Scored]:
        prompts = self._prompts[cell.split]
        each = len(cell.strengths) * OPERATORS[self.study.operator.name].rows_per_answer if cell.strengths else 1
        at_once = max(BLOCK_ROWS // each, 1)
        starts = range(0, len(prompts), at_once)
        return [self._scored(subject, cell, edit, prompts[i : i + at_once]) for i in starts]

    def _tags(self, cell: Cell) -> tuple[str, ...]:
        """Of what is read while a cell is written: of train to fit on, of other splits where states are claimed."""
        if cell.arm == "baseline" and cell.variant == "main" and (cell.split == "train" or self._probes):
            return self.study.captures
        return self._records if cell.arm == "treated" and cell.split == "fresh" and cell.variant == "main" else ()

    def _scored(self, subject: str, cell: Cell, edit: Block | None, prompts: Sequence[Prompt]) -> Scored:
        requests = [
            Request(
                prompt_id=prompt.prompt_id,
                prompt=prompt.prompt,
                seed=cell.seed,
                system=SYSTEM_PROMPTS[self.study.disposition] if cell.arm == "prompt_control" else None,
                edit=edit.key if edit else None,
                strength=strength,
                history=prompt.history,
            )
            for prompt in prompts
            for strength in cell.strengths or (0.0,)
        ]
        generated, rows = self._workshop.generate(
            subject,
            requests,
            self.study.decoding_of(subject, doubled=cell.variant == "double_budget"),
            edit=edit,
            tags=self._tags(cell),
            preregistration=self.preregistration if cell.split == "fresh" else None,
            arm=cell.arm,
        )
        judged = {label: self._workshop.judge(label, rows, prompts) for label in self._labels}
        judgements = [row for _, several in judged.values() for row in several]
        kept = {label: block for label, (block, _) in judged.items() if block is not None}
        return Scored(generated, rows, kept, judgements, self._workshop.states(generated))


def _entry(block: Block) -> dict[str, Any]:
    return {"key": block.key, "files": {name: entry.sha256 for name, entry in sorted(block.files.items())}}
