"""The model card of an adapter: what it is, what it was made from, and what is known of the claim it was made for.

Facts in, Markdown out. Knows no model, no study and no store; no time, host or path is in a card, so that the same
facts give the same bytes. What people wrote (a statement, a reason) is text here and never markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
import yaml

from dd_core.canonical import sha256
from dd_core.falsify.show.words import STEPS, one_line

_LAYER = re.compile(r"(?:(.+)\.)?(\d+)\.(.+)")
_ORDER = ("q", "k", "v", "o", "gate", "up", "down")
_BARS = "▁▂▃▄▅▆▇█"
_MARK = re.compile(r"\n<!-- ddsweep-card sha256:([0-9a-f]{64}) -->\n\Z")


@dataclass(frozen=True)
class Base:
    """The model that an adapter belongs to.

    Args:
        name: our subject's, or whatever an adapter from elsewhere names.
        hub_id, revision: where it is on the Hugging Face Hub, and at which commit; None where it is not there.
        licence: None where it is not known.
        weights: file name → SHA-256.
        n_layers: of its decoder; None where it is not known.
        without_softmax: indices of the layers that have no softmax attention.
        dtype: in which its weights were released.
        has_towers: whether the released model sees or hears as well, with layers that are called as those of the text.
        chat_template: Jinja text where this project gives it one; "" where its tokenizer has its own.
        template_arguments: what the template is told besides the messages.
    """

    name: str
    hub_id: str | None = None
    revision: str | None = None
    licence: str | None = None
    weights: Mapping[str, str] = field(default_factory=dict)
    n_layers: int | None = None
    without_softmax: tuple[int, ...] = ()
    dtype: str = "float32"
    has_towers: bool = False
    chat_template: str = ""
    template_arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """Where in which study an adapter was made, and of what.

    Args:
        study, preregistration, trial, block: names that lead back to it.
        trial_label: what a person calls the trial.
        stages: keys of the blocks that the fit went on from, the first stage first.
        statement, claim: what the study asserts, and the same as axis, direction, anchor and margin.
        operator, settings, train_seed: how it was fitted.
        data: what it was trained on, in words.
        data_card: digest of the data card; None where the rows were made of the prompts.
        prompt_set: digest of the study's prompts.
        metrics: what the fit noted; nothing in it is required.
        verdict: `verdict.json`; None while there is none.
        progress: how far the study is, in words.
    """

    study: str
    preregistration: str
    trial: str
    trial_label: str
    block: str
    statement: str
    claim: str
    disposition: str
    operator: str
    settings: Mapping[str, Any]
    train_seed: int
    placebo: bool
    data: str
    prompt_set: str
    progress: str
    data_card: str | None = None
    stages: tuple[str, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    verdict: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Facts:
    """All that a card says.

    Args:
        rank, alpha, scaling: B A is multiplied by the scaling.
        modules: paths of the covered layers.
        norm: Frobenius norm of the change of all weights together.
        sha256: of the adapter's files.
        changed: fields of `adapter_config.json` that say another thing than in the store.
        origin: None for an adapter from elsewhere.
        merge: what merging found, as `Comparison.as_json`, and where its `prompts` are from; None for an adapter alone.
    """

    name: str
    base: Base
    rank: int
    alpha: float
    scaling: float
    modules: tuple[str, ...]
    norm: float
    sha256: str
    changed: tuple[str, ...] = ()
    origin: Origin | None = None
    merge: Mapping[str, Any] | None = None


def page(facts: Facts) -> str:
    """The card as Markdown, with the Hub's front matter. Its last line is a digest of the rest: see `is_unedited`."""
    text = _template().render(
        facts=facts, base=facts.base, origin=facts.origin, front=_front(facts), covered=covered(facts.modules),
        uncovered=uncovered(facts), losses=losses(facts), steps=STEPS,
    )  # fmt: skip
    text = re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"
    return f"{text}\n<!-- ddsweep-card sha256:{sha256(text.encode())} -->\n"


def is_unedited(card: str) -> bool:
    """Whether `card` is one of ours, as it was written: such a one may be replaced by a newer one."""
    mark = _MARK.search(card)
    return mark is not None and sha256(card[: mark.start()].encode()) == mark[1]


def covered(modules: Iterable[str]) -> list[str]:
    """The covered layers in compact form: "q, k, v, o of layers 0-29"; modules outside any layer by their paths."""
    where: dict[str, set[int]] = {}
    others = []
    for path in modules:
        if (found := _LAYER.fullmatch(path)) is None:
            others.append(path)
        else:
            where.setdefault(_short(found[3]), set()).add(int(found[2]))
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in sorted(where, key=_place):
        groups.setdefault(tuple(sorted(where[name])), []).append(name)
    lines = [
        f"{', '.join(names)} of layer{'s' if len(layers) > 1 else ''} {ranges(layers)}"
        for layers, names in groups.items()
    ]
    return lines + sorted(others)


def uncovered(facts: Facts) -> str:
    """In a sentence which layers of the base the adapter does not reach."""
    if facts.base.n_layers is None:
        return "How many layers the base has is not known here."
    reached = {int(found[2]) for path in facts.modules if (found := _LAYER.fullmatch(path))}
    left = [i for i in range(facts.base.n_layers) if i not in reached]
    if not left:
        return f"No layer of the {facts.base.n_layers} is left out."
    why = " They have no softmax attention." if set(left) <= set(facts.base.without_softmax) else ""
    return f"Not covered: layers {ranges(left)} of 0-{facts.base.n_layers - 1}.{why}"


def ranges(numbers: Sequence[int]) -> str:
    """Sorted whole numbers in a few characters: "0-2, 5, 7-9"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def losses(facts: Facts) -> list[float]:
    """The loss of every step, [] where it was not noted."""
    found = facts.origin.metrics.get("losses") if facts.origin else None
    return [float(loss) for loss in found] if found else []


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """`values` as a line of bars from their lowest to their highest, means of neighbours where there are too many."""
    if not values:
        return ""
    n = min(width, len(values))
    bounds = [round(i * len(values) / n) for i in range(n + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in zip(bounds, bounds[1:], strict=False)]
    low, span = min(means), max(means) - min(means)
    return "".join(_BARS[int((mean - low) / span * (len(_BARS) - 1) + 0.5) if span else 0] for mean in means)


def _short(path: str) -> str:
    """`self_attn.q_proj` is "q"; a name that does not end so is kept."""
    last = path.rpartition(".")[2]
    return last.removesuffix("_proj") if last.removesuffix("_proj") in _ORDER else last


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def _front(facts: Facts) -> str:
    """The front matter that the Hub reads."""
    base, origin = facts.base, facts.origin
    known = base.licence is not None and re.fullmatch(r"[A-Za-z0-9.-]+", base.licence) is not None
    front: dict[str, Any] = {
        **({"base_model": base.hub_id} if base.hub_id else {}),
        **({"base_model_relation": "finetune" if facts.merge else "adapter"} if base.hub_id else {}),
        "library_name": "transformers" if facts.merge else "peft",
        "pipeline_tag": "text-generation",
    }
    if base.licence is not None:
        front |= {"license": base.licence.lower()} if known else {"license": "other", "license_name": base.licence}
    front["tags"] = ["ddsweep", "lora"]
    if origin is not None:
        front["tags"] += [origin.operator.replace("_", "-"), origin.disposition]
        front["tags"] += ["placebo"] if origin.placebo else []
    return yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000).rstrip()


def _text(value: Any) -> str:
    """Words of a person's as one line that Markdown leaves alone, also inside a table."""
    return re.sub(r"([\\`*_\[\]<>#|~$])", r"\\\1", one_line(str(value)))


def _code(value: Any) -> str:
    """A name as a code span."""
    return f"`{one_line(str(value)).replace('`', chr(39)).replace('|', '/')}`"


def _figure(value: Any) -> str:
    """A number as people write it; anything else as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-" if value is None else _text(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _small(value: float) -> str:
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.4g}"


@cache
def _template() -> Any:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"text": _text, "code": _code, "figure": _figure, "small": _small}
    environment.filters |= {"sparkline": sparkline, "python": repr}
    return environment.from_string((files(__package__) / "model_card.md.j2").read_text(encoding="utf-8"))
