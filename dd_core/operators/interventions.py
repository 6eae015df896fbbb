"""Tempering and steering: their settings, what they reach, and what they are held against. Imports no torch.

The fits live in `tempering` and `steering`. A stage's settings hold no strength, so that all strengths share its edit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from dd_core.dispositions import AXIS_RANGES
from dd_core.errors import InputError, unknown
from dd_core.operators.settings import Settings, apart, drawn, listed
from dd_core.subjects.layout import Layout, some

if TYPE_CHECKING:
    from dd_core.operators import Reads


OF_PAIRS = ("pairs", "hedges")
"""Cohorts that are no axis: they part the two answers of each pair."""


def _axis(name: str) -> str:
    if name in OF_PAIRS:
        raise ValueError(f"{name!r} parts pairs of answers, which steering alone reads; name an axis")
    if name not in AXIS_RANGES:
        raise ValueError(unknown("axis", name, AXIS_RANGES))
    return name


def _pairs_or_axis(name: str) -> str:
    return name if name in OF_PAIRS else _axis(name)


def _layers(value: Any) -> Any:
    """The word "all", or layers in ascending order, each once."""
    if value == "all":
        return value
    numbers = listed(value)
    if not isinstance(numbers, list | tuple) or not numbers or any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError('expected "all", or a list of layers counted from 0')
    if len(set(numbers)) < len(numbers):
        raise ValueError("a layer is there twice: keep one")
    return tuple(sorted(numbers))


def _but(identity: float) -> Any:
    def check(values: tuple[float, ...]) -> tuple[float, ...]:
        if any(math.isclose(value, identity, abs_tol=1e-12) for value in values):
            raise ValueError(f"at {identity:g} the edit changes nothing, and every study has that arm: leave it out")
        return values

    return AfterValidator(check)


_ONE_OR_MORE = (BeforeValidator(listed), Field(min_length=1, max_length=16), AfterValidator(apart))
Lambda = Annotated[float, Field(ge=0.0, le=2.0)]
Layers = Annotated[Literal["all"] | tuple[int, ...], BeforeValidator(_layers)]


class HeadSearch(Settings):
    """Which heads are chosen.

    Args:
        method: by the difference of the cohorts' mean norms, or by Cohen's d along the difference of their means.
        heads: those that part the cohorts most, those that part them least, or any that are neither.
        k: how many.
        layers: where they are sought; "all" is every layer with softmax attention.
        cohorts: the axis whose score parts the subject's own answers: one half and more on 0 to 1, 4 and more on 1 to
            5, against less.
        draw: which of the random draws.
    """

    method: Literal["magnitude", "directional"] = "magnitude"
    heads: Literal["top", "random", "bottom"] = "top"
    k: int = Field(4, ge=1, le=4096)
    layers: Layers = "all"
    cohorts: Annotated[str, AfterValidator(_axis)] = "correct"
    draw: int = Field(0, ge=0, le=1000)

    def idle(self) -> frozenset[str]:
        """Which draw, where nothing is drawn."""
        return drawn(self.heads)


class TemperingConfig(HeadSearch):
    """Which heads are chosen, and what their inputs to `o_proj` are multiplied by.

    Args:
        strengths: λ, each 0 to 2 and not 1; one of them or several that are tried side by side.
    """

    strengths: Annotated[tuple[Lambda, ...], *_ONE_OR_MORE, _but(1.0)] = (0.0, 0.5, 0.75)


class DirectionSearch(Settings):
    """Which direction is sought.

    Args:
        layer: behind which it is sought and added, counted from 0; None is the middle one, n_layers // 2.
        method: the difference of the cohorts' means (Rimsky et al. 2023), the first principal component (Zou et al.
            2023), the weights of a logistic regression, or a random direction.
        cohorts: of pairs of answers the chosen ones against the rejected ("pairs"), or those that hedge against those
            that do not, whichever was chosen ("hedges"); or an axis that parts the subject's own answers.
        norm_preserving: whether a state keeps its length, so that its direction alone changes.
        scale: the length of the vector that α multiplies: that of the difference of the cohorts' means, or the mean
            length of the states, of which α is then a share.
        draw: which of the random draws.
    """

    layer: int | None = Field(None, ge=0)
    method: Literal["mean_difference", "pca", "logistic", "random"] = "mean_difference"
    cohorts: Annotated[str, AfterValidator(_pairs_or_axis)] = "pairs"
    norm_preserving: bool = False
    scale: Literal["difference", "state"] = "difference"
    draw: int = Field(0, ge=0, le=1000)

    def idle(self) -> frozenset[str]:
        """Which draw, where nothing is drawn."""
        return drawn(self.method)

    def layer_of(self, layout: Layout) -> int:
        """The layer in a model of this layout.

        Raises:
            InputError: it has no such layer.
        """
        layer = layout.n_layers // 2 if self.layer is None else self.layer
        if layer >= layout.n_layers:
            raise InputError(f"layer: there is no layer {layer}; layers are 0 to {layout.n_layers - 1}")
        return layer


class SteeringConfig(DirectionSearch):
    """Which direction is sought, and how much of it is added.

    Args:
        strengths: α, none of them 0; below 0 leads away from the chosen answers, or from those that score.
    """

    strengths: Annotated[tuple[float, ...], *_ONE_OR_MORE, _but(0.0)] = (0.5, 1.0, 2.0, 4.0)


def layers_of(config: HeadSearch, layout: Layout) -> tuple[int, ...]:
    """The layers in which heads are sought.

    Raises:
        InputError: a layer is not there or has no softmax attention, or the layers have fewer than k heads.
    """
    layers = layout.softmax_layers if config.layers == "all" else config.layers
    lines = []
    for layer in layers:
        if layer >= layout.n_layers:
            lines.append(f"layers: there is no layer {layer}; layers are 0 to {layout.n_layers - 1}")
        elif not layout.layers[layer].softmax:
            lines.append(
                f"layers: layer {layer} has no softmax attention; layers with it: {some(layout.softmax_layers)}"
            )
    if not lines and 2 * config.k > (n := _n_heads(layers, layout)):
        lines.append(
            f"k: {config.k} heads are asked for, and layers {some(layers)} have {n}: at most half of them leave others "
            "for the control"
        )
    if lines:
        raise InputError(lines)
    return layers


class Tempering:
    """Chosen heads' inputs to `o_proj` are multiplied by λ. At 1 nothing is changed, at 0 the heads are silent."""

    name = "tempering"
    Config = TemperingConfig
    fitted = True
    identity_strength = 1.0
    rows_per_answer = 1
    records: tuple[str, ...] = ()

    def stages(self, config: TemperingConfig) -> tuple[tuple[str, BaseModel], ...]:
        """One search for heads."""
        return (("tempering", _without_strengths(HeadSearch, config)),)

    def reads(self, config: TemperingConfig) -> tuple[Reads, ...]:
        """The subject's own answers, to part into cohorts."""
        return ("answers",)

    def strengths(self, config: TemperingConfig) -> tuple[float, ...]:
        """Every λ."""
        return config.strengths

    def placebo(self, config: TemperingConfig) -> TemperingConfig:
        """As many random heads; where these are the treatment, the next draw of them."""
        return _drawn(config, "heads")

    def captures(self, config: TemperingConfig) -> tuple[str, ...]:
        """Nothing: which layers there are is known only beside the model, and one pass over the answers reads them."""
        return ()

    def reaches(self, config: TemperingConfig, layout: Layout) -> str:
        """How many heads of how many, in which layers, and what has none.

        Raises:
            InputError: as `layers_of`.
        """
        layers = layers_of(config, layout)
        of = f"{_n_heads(layers, layout)} in layers {some(layers)}"
        parts = [f"inputs to o_proj of {config.k} heads ({config.heads}, by {config.method}) of {of}"]
        if n_linear := layout.n_layers - len(layout.softmax_layers):
            parts.append(f"the {n_linear} gated delta-net layers have no such heads")
        return "; ".join(parts)

    def texts(self, config: TemperingConfig, n_rows: int, n_pairs: int, n_answers: int) -> int:
        """Every answer once."""
        return n_answers


class Steering:
    """A vector times α is added to the residual stream behind a layer, where the answer is. At 0 nothing is changed."""

    name = "steering"
    Config = SteeringConfig
    fitted = True
    identity_strength = 0.0
    rows_per_answer = 1
    records: tuple[str, ...] = ()

    def stages(self, config: SteeringConfig) -> tuple[tuple[str, BaseModel], ...]:
        """One search for a direction."""
        return (("steering", _without_strengths(DirectionSearch, config)),)

    def reads(self, config: SteeringConfig) -> tuple[Reads, ...]:
        """Pairs of answers, or the subject's own."""
        return ("pairs",) if config.cohorts in OF_PAIRS else ("answers",)

    def strengths(self, config: SteeringConfig) -> tuple[float, ...]:
        """Every α."""
        return config.strengths

    def placebo(self, config: SteeringConfig) -> SteeringConfig:
        """A random direction of the same length; where that is the treatment, the next draw of it."""
        return _drawn(config, "method")

    def captures(self, config: SteeringConfig) -> tuple[str, ...]:
        """Nothing: pairs are not the subject's answers, and one pass over the texts reads them."""
        return ()

    def reaches(self, config: SteeringConfig, layout: Layout) -> str:
        """The layer behind which the vector is added.

        Raises:
            InputError: the model has no such layer.
        """
        keeps = ", lengths kept" if config.norm_preserving else ""
        return (
            f"the residual stream behind layer {config.layer_of(layout)} of {layout.n_layers} "
            f"at answer tokens ({config.method}{keeps})"
        )

    def texts(self, config: SteeringConfig, n_rows: int, n_pairs: int, n_answers: int) -> int:
        """Both answers of every pair, or every answer, once."""
        return 2 * n_pairs if config.cohorts in OF_PAIRS else n_answers


def _n_heads(layers: Iterable[int], layout: Layout) -> int:
    return sum(layout.layers[layer].heads for layer in layers)


def _without_strengths(stage: type[BaseModel], config: BaseModel) -> BaseModel:
    return stage(**{name: getattr(config, name) for name in stage.model_fields})


def _drawn(config: Any, setting: str) -> Any:
    """`config` with `setting` at random: the first draw, or the next."""
    draw = config.draw + 1 if getattr(config, setting) == "random" else 0
    return config.model_copy(update={setting: "random", "draw": draw})
