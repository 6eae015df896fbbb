"""Adapters for people outside this project: shown, written as Hugging Face knows them, merged into their base.

The public calls behind `ddsweep adapter`: `read_source`, `list_adapters`, `export` and `merge_adapter`. A study's
adapters are found by `study_adapters`; an adapter may as well come from elsewhere, in a folder. No store is written.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dd_core.errors import EditNotApplied, InputError, unknown
from dd_core.operators.model_card import Facts, is_unedited, page
from dd_core.prompts import choose
from dd_core.subjects.formats import CONFIG_FILE, WEIGHTS_FILE
from dd_core.subjects.registry import get_subject, recorded
from sweeps.shell import folder_writer, is_there, make_folder
from sweeps.study_adapters import StudyAdapter, StudyAdapters, base_of, subject_named

if TYPE_CHECKING:
    from dd_core.records import Prompt
    from dd_core.subjects.edits.merging import Comparison

CARD_FILE, REPORT_FILE = "README.md", "merge_report.json"
PICKLES = ("adapter_model.bin", "adapter_model.pt", "adapter_model.pth")
MERGE_FORMAT = "ddsweep-merge/1"
DTYPES = {"float32": 4, "bfloat16": 2}
"""Dtypes that merged weights are written in, with the bytes of one."""

MAX_NEW_TOKENS = 64
"""Budget of an answer where no study sets one: as in a study that says nothing."""


_TOWERS = r".*(vision|audio)_tower.*"


@dataclass(frozen=True)
class FolderAdapter:
    """An adapter in a folder, wherever it was made.

    Args:
        facts: what its two files say.
        contents: these files.
    """

    facts: Facts
    contents: Mapping[str, bytes]


def read_source(source: str) -> StudyAdapters | FolderAdapter:
    """The adapters of a study (a store, or a study in one), or the one in a folder.

    Raises:
        InputError: there is nothing of the kind, or the folder's adapter is a pickle or no plain LoRA.
        StoreError: the store cannot be read.
        IntegrityError: something that was committed is damaged.
    """
    if is_there(source, Path.is_dir) and any((Path(source) / name).exists() for name in (CONFIG_FILE, WEIGHTS_FILE)):
        return _read_folder(Path(source))
    if any(is_there(f"{source}/{name}") for name in PICKLES):
        raise _pickle(Path(source))
    if "://" not in source and not is_there(source, Path.is_dir):
        raise InputError(f"{source}: no such folder; expected a store, a study in one, or an adapter's folder")
    from storage.bundles import find_study

    return StudyAdapters(find_study(source))


def list_adapters(source: str) -> list[StudyAdapter]:
    """All adapters of a study: those of the search in its order, then those of the confirmation.

    Raises:
        InputError: there are none yet, or as `read_source`.
        IntegrityError: one is damaged.
    """
    found = read_source(source)
    if isinstance(found, FolderAdapter):
        raise InputError(f"{source}: is an adapter by itself; expected a store, or a study in one")
    return found.all()


def exported(facts: Facts, contents: Mapping[str, bytes]) -> tuple[Facts, dict[str, bytes]]:
    """The adapter's files for people outside this project, and the facts with what was changed in them.

    The weights are as stored. The configuration names the base by its id and commit on the Hub, where it has one:
    `AutoPeftModelForCausalLM` looks for it there. Towers for images and sound, which are not loaded here, are excluded:
    their layers have the names of the text's.
    """
    config = json.loads(contents[CONFIG_FILE])
    base = facts.base
    ours: dict[str, Any] = {"base_model_name_or_path": base.hub_id, "revision": base.revision} if base.hub_id else {}
    if base.has_towers:
        ours["exclude_modules"] = _TOWERS
    changed = tuple(name for name, value in ours.items() if config.get(name) != value)
    files = dict(contents)
    if changed:
        files[CONFIG_FILE] = (json.dumps({**config, **ours}, indent=2, sort_keys=True) + "\n").encode()
        facts = replace(facts, changed=changed)
    return facts, files


def export(facts: Facts, contents: Mapping[str, bytes], out: Path) -> list[str]:
    """Writes an adapter and its card into `out`; the paths of the three files.

    Files that are there already stay if they are the same. A card that nobody has edited gives way to a newer one.

    Raises:
        InputError: another file is in the way, or nothing can be written there.
    """
    facts, files = exported(facts, contents)
    files[CARD_FILE] = page(facts).encode()
    taken = [name for name, data in files.items() if _in_the_way(out / name, data)]
    if taken:
        raise InputError(f"{out}: holds another {' and '.join(taken)}; nothing was written, name another folder")
    write = folder_writer(out)
    return [write(name, data) for name, data in files.items()]


@dataclass(frozen=True)
class Merged:
    """A merge as it was done.

    Args:
        comparison: the merged model beside the unmerged edit.
        prompts: where the prompts are from, in words.
        files: names in the folder; empty where the comparison failed and nothing was kept.
    """

    comparison: Comparison
    prompts: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class _Task:
    """What is merged, and what it is compared on."""

    facts: Facts
    contents: Mapping[str, bytes]
    asked: tuple[Prompt, ...]
    where: str
    max_new_tokens: int
    threads: int


def merge_adapter(
    source: str,
    out: Path,
    *,
    trial: str | None = None,
    subject: str | None = None,
    domain: str | None = None,
    prompts: int = 16,
    dtype: str | None = None,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> Merged:
    """Adds an adapter into its base's weights, compares what was written with the unmerged, and keeps it if it passes.

    Args:
        source: a store, a study in one (then `trial` says which adapter), or an adapter's folder.
        out: a folder that is empty or not there yet; it stays so where the comparison fails.
        subject, domain: of a folder's adapter alone: its base, if it names none that is known, and whose prompts are
            asked, `facts` if left out.
        prompts: how many are compared at most; of a study those that its search saw.
        dtype: of the merged weights; the subject's own if left out.
        report: is told in a few words what goes on.

    Raises:
        InputError: as `read_source`; the base is unknown or not the adapter's, the folder is not empty, the disk full.
        IntegrityError: the adapter is damaged.
    """
    found = read_source(source)
    if isinstance(found, StudyAdapters):
        if subject is not None or domain is not None:
            raise InputError("--subject and --domain are for an adapter in a folder; a study has its own")
        task = _of_study(found, trial, prompts)
    else:
        if trial is not None:
            raise InputError(f"--trial: {source} is one adapter by itself; leave the option out")
        task = _of_folder(found, source, subject, domain or "facts", prompts)
    base = get_subject(task.facts.base.name)
    dtype = dtype or base.dtype
    if dtype not in DTYPES:
        raise InputError(f"--dtype: {unknown('dtype', dtype, DTYPES)}")
    needed_mb = base.disk_mb * DTYPES[dtype] / DTYPES[base.dtype]
    free_mb = check_room(out, needed_mb)
    report(f"the merged model takes {needed_mb:,.0f} MB of disk; {free_mb:,.0f} MB are free")
    return _merged(task, out, dtype, device, report)


def _of_study(found: StudyAdapters, trial: str | None, prompts: int) -> _Task:
    if trial is None:
        raise InputError(f"--trial: name the adapter to merge, one of {', '.join(a.label for a in found.all())}")
    adapter, study = found.adapter(trial), found.study
    asked = choose(study.domain, "eval", min(prompts, study.prompts.eval), study.prompts.seed)
    budget = study.decoding_of(adapter.spec["subject"]).max_new_tokens
    where = f"{study.domain}/eval, which the search saw"
    return _Task(found.facts(adapter), found.contents(adapter), asked, where, budget, study.resources.threads)


def _of_folder(found: FolderAdapter, source: str, subject: str | None, domain: str, prompts: int) -> _Task:
    own = subject_named(found.facts.base.name)
    name = get_subject(subject).name if subject is not None else own
    if name is None:
        raise InputError(f"{source}: its base is {found.facts.base.name!r}, which is no subject; give --subject NAME")
    if own is not None and name != own:
        raise InputError(f"--subject {name}: the adapter in {source} was made for {own}")
    facts, asked = replace(found.facts, base=base_of(name)), choose(domain, "eval", prompts, 0)
    return _Task(facts, found.contents, asked, f"{domain}/eval", MAX_NEW_TOKENS, os.cpu_count() or 1)


def _merged(task: _Task, out: Path, dtype: str, device: str, report: Callable[[str], None]) -> Merged:
    from dd_core.subjects.edits.adapter import read_adapter
    from dd_core.subjects.edits.merging import compare, write_merged
    from dd_core.subjects.engine import Engine, Request

    facts, name = task.facts, task.facts.base.name
    report(f"loading {name}")
    engine = Engine(name, task.threads, device)
    if facts.base.weights and facts.base.weights != (recorded(engine.subject) or {}).get("weights"):
        raise InputError(f"{name}: the weights here are not those that the adapter was trained on")
    requests = [Request(prompt.prompt_id, prompt.prompt, history=prompt.history) for prompt in task.asked]
    make_folder(out.parent)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        work = Path(folder)
        try:
            adapter = read_adapter(task.contents)
            report("merging")
            write_merged(engine, adapter, work, dtype)
            n = len(requests)
            report(f"writing {n} answers, merged and unmerged")
            comparison = compare(
                engine, adapter, work, dtype, requests, task.max_new_tokens, lambda i: report(f"compared: {i} of {n}")
            )
        except EditNotApplied as error:
            raise InputError(f"{facts.name} and {name}: {error}") from None
        if not comparison.same:
            return Merged(comparison, task.where, ())
        found = {**comparison.as_json(), "prompts": task.where}
        about = {"format": MERGE_FORMAT, "subject": name, "adapter": facts.sha256, **found}
        about["max_new_tokens"] = task.max_new_tokens
        if facts.origin is not None:
            about |= {"study": facts.origin.study, "trial": facts.origin.trial, "block": facts.origin.block}
        text = json.dumps(about, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        (work / REPORT_FILE).write_text(text, encoding="utf-8")
        (work / CARD_FILE).write_text(page(replace(facts, merge=found)), encoding="utf-8")
        make_folder(out)
        names = sorted(path.name for path in work.iterdir())
        for file in names:
            os.replace(work / file, out / file)
    return Merged(comparison, task.where, tuple(names))


def check_room(out: Path, needed_mb: float) -> float:
    """MB that are free on the disk of `out`, which is empty or not there yet.

    Raises:
        InputError: it is no empty folder, or its disk has no room.
    """
    try:
        taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise InputError(f"{out}: cannot be read: {error.strerror}") from None
    if taken:
        raise InputError(f"{out}: is not empty; name a folder that is not there yet")
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free_mb = shutil.disk_usage(there).free / 1e6
    if free_mb < needed_mb:
        raise InputError(
            f"{out}: the merged model takes {needed_mb:,.0f} MB, and {free_mb:,.0f} MB are free on that disk"
        )
    return free_mb


def _in_the_way(path: Path, data: bytes) -> bool:
    try:
        there = path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return there != data and not (path.name == CARD_FILE and is_unedited(there.decode(errors="replace")))


def _read_folder(folder: Path) -> FolderAdapter:
    from dd_core.subjects.edits.adapter import read_adapter

    if not (folder / WEIGHTS_FILE).exists() and any((folder / name).exists() for name in PICKLES):
        raise _pickle(folder)
    try:
        contents = {name: (folder / name).read_bytes() for name in (CONFIG_FILE, WEIGHTS_FILE)}
        adapter = read_adapter(contents)
    except OSError as error:
        raise InputError(
            f"{error.filename}: {error.strerror}; an adapter is {CONFIG_FILE} and {WEIGHTS_FILE}"
        ) from None
    except EditNotApplied as error:
        raise InputError(f"{folder}: {error}") from None
    facts = Facts(
        name=folder.resolve().name,
        base=base_of(str(adapter.config.get("base_model_name_or_path") or "a model that it does not name")),
        rank=adapter.config["r"],
        alpha=adapter.config["lora_alpha"],
        scaling=adapter.scaling,
        modules=adapter.modules,
        norm=adapter.norm,
        sha256=adapter.sha256,
    )
    return FolderAdapter(facts, contents)


def _pickle(folder: Path) -> InputError:
    name = next(name for name in PICKLES if (folder / name).exists())
    return InputError(f"{folder / name}: is a pickle, which can run code when it is opened; save it as {WEIGHTS_FILE}")
