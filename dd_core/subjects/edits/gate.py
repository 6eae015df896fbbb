"""A gate: a readout of an answer's own states says how probable it is that the answer is right, and doubtful ones are
hedged, by words in front of them or by being written again under an instruction.

No weight and no state is changed. Whoever writes answers captures the states, asks the gate, and does what it says.
Knows plain arrays and numpy; how a readout is fitted is an operator's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors
from scipy.special import expit

from dd_core.errors import EditNotApplied, unknown
from dd_core.subjects.edits.files import edit_json, fingerprint, only
from dd_core.subjects.formats import EDIT_FILE, TENSORS_FILE

KIND = "sidecar"

Arrays = Mapping[str, NDArray[np.float64]]

SHAPES: dict[str, dict[str, str]] = {
    "logistic": {"weights": "w", "intercept": ""},
    "mlp": {"hidden_weights": "wh", "hidden_intercepts": "h", "weights": "h", "intercept": ""},
    "svm": {"vectors": "vw", "coefficients": "v", "intercept": "", "gamma": "", "platt_slope": "", "platt_offset": ""},
    "random": {"weights": "w", "ranks": "n", "log_odds": "n"},
}
"""Readout → its arrays, and the dimensions of each: w is the width of a state, h, v and n are sizes of its own. All
have `mean` and `scale` [w] besides, by which states are standardised."""


@dataclass(frozen=True)
class Gate:
    """A gate as it was read and checked.

    Args:
        sha256: of its files, names included.
        tag: of `dd_core.subjects.states`, what it reads of an answer.
        readout: key of `SHAPES`.
        threshold: the probability of being right under which an answer is hedged, at strength 1.
        prefix: words in front of a hedged answer; "" where it is written again.
        instruction: under which a hedged answer is written again; "" where it gets a prefix.
        subject, base_build: whose states it was fitted on.
        norm: share of the train answers that it hedges at strength 1, told by fits that have not seen them: a size in
            answers, not in weights, so that a control which hedges as many has the same.
        arrays: of the readout, float64.
        identity: the strength at which it changes nothing.
    """

    sha256: str
    tag: str
    readout: str
    threshold: float
    prefix: str
    instruction: str
    subject: str
    base_build: str
    norm: float
    arrays: Arrays
    identity: float = 0.0

    @property
    def width(self) -> int:
        """Numbers of one state."""
        return len(self.arrays["mean"])

    def check(self, base_build: str, width: int) -> None:
        """To be called before the first answer, with the fingerprint of the weights as they are run without any edit,
        and the width of a state of `tag` there.

        Raises:
            EditNotApplied: the gate was fitted on states of another subject or build, and means nothing on these.
        """
        if base_build != self.base_build:
            raise EditNotApplied(
                f"the gate was fitted on states of another build ({self.subject}, {self.base_build[:12]}) than the one "
                f"that runs here ({base_build[:12]}): fit it on this one"
            )
        if width != self.width:
            raise EditNotApplied(f"the gate reads {self.width} numbers of {self.tag}, which has {width} here")

    def hedges(self, states: NDArray[Any], strengths: Sequence[float]) -> NDArray[np.bool_]:
        """Which answers are hedged: those whose probability of being right is below threshold times strength.

        At strength 0 none is. A larger strength hedges whatever a smaller one does, and more; above 1 / threshold all
        are hedged.

        Args:
            states: [n, width] of the answers.
            strengths: one of each answer.

        Raises:
            EditNotApplied: the states are of another width, or not finite.
        """
        bounds = self.threshold * np.asarray(strengths, dtype=np.float64)
        return np.asarray(expit(self.log_odds(states)) < bounds)

    def log_odds(self, states: NDArray[Any]) -> NDArray[np.float64]:
        """ln(P / (1 - P)) of being right [n], of the answers with these states [n, width].

        Raises:
            EditNotApplied: as `hedges`.
        """
        if states.ndim != 2 or states.shape[1] != self.width:
            raise EditNotApplied(f"the gate reads states [n, {self.width}] of {self.tag}, not {list(states.shape)}")
        if not np.isfinite(states).all():
            wrong = int((~np.isfinite(states).all(axis=1)).sum())
            raise EditNotApplied(f"{wrong} of {len(states)} states {self.tag} hold numbers that are not finite")
        return read_out(self.readout, self.arrays, states)


def read_out(readout: str, arrays: Arrays, states: NDArray[Any]) -> NDArray[np.float64]:
    """Log-odds [n] of being right, by a readout of `SHAPES`, for states [n, width].

    `logistic` is linear; `mlp` has one hidden layer of rectified units; `svm` is a sum over support vectors of
    exp(-gamma times the squared distance), turned into log-odds by the line of Platt (1999); `random` gives the state
    with the k-th smallest projection the k-th smallest of given log-odds, and between two of them what lies between.
    """
    z = (states.astype(np.float64) - arrays["mean"]) / arrays["scale"]
    if readout == "mlp":
        z = np.maximum(z @ arrays["hidden_weights"] + arrays["hidden_intercepts"], 0.0)
    elif readout == "svm":
        vectors = arrays["vectors"]
        squares = (z**2).sum(axis=1)[:, None] + (vectors**2).sum(axis=1) - 2 * z @ vectors.T
        kernel = np.exp(-arrays["gamma"] * np.maximum(squares, 0.0))
        return arrays["platt_slope"] * (kernel @ arrays["coefficients"] + arrays["intercept"]) + arrays["platt_offset"]
    elif readout == "random":
        return np.interp(z @ arrays["weights"], arrays["ranks"], arrays["log_odds"])
    return z @ arrays["weights"] + arrays["intercept"]


def files(
    *,
    tag: str,
    readout: str,
    arrays: Arrays,
    threshold: float,
    hedged_share: float,
    subject: str,
    base_build: str,
    prefix: str = "",
    instruction: str = "",
) -> dict[str, bytes]:
    """The two files of a gate; the arguments are those of `Gate`, `hedged_share` its norm."""
    tensors = {name: np.array(arrays[name], dtype=np.float64, order="C") for name in sorted(arrays)}
    said = edit_json(
        KIND,
        tag=tag,
        readout=readout,
        threshold=threshold,
        hedged_share=hedged_share,
        prefix=prefix,
        instruction=instruction,
        subject=subject,
        base_build=base_build,
    )
    return {EDIT_FILE: said, TENSORS_FILE: save_safetensors(tensors)}


def read(files: Mapping[str, bytes], said: Mapping[str, Any]) -> Gate:
    """Reads a gate from its files, of which `said` is `edit.json`.

    Raises:
        EditNotApplied: a file is missing or damaged, an array has not the shape that its readout needs or holds numbers
            that are not finite, or no answer would ever be hedged.
    """
    only(files, TENSORS_FILE)
    try:
        arrays = {name: array.astype(np.float64) for name, array in load_safetensors(files[TENSORS_FILE]).items()}
        texts = {name: said[name] for name in ("tag", "readout", "prefix", "instruction", "subject", "base_build")}
        threshold, share = float(said["threshold"]), float(said["hedged_share"])
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise EditNotApplied(f"the gate's files cannot be read: {error}") from error
    if wrong := [name for name, text in texts.items() if not isinstance(text, str)]:
        raise EditNotApplied(f"{EDIT_FILE}: {wrong[0]} must be text")
    if texts["readout"] not in SHAPES:
        raise EditNotApplied(f"{EDIT_FILE}: {unknown('readout', texts['readout'], SHAPES)}")
    if not 0.0 < threshold < 1.0 or not 0.0 < share <= 1.0:
        raise EditNotApplied(f"{EDIT_FILE}: threshold {threshold} and hedged_share {share} must lie between 0 and 1")
    if bool(texts["prefix"].strip()) == bool(texts["instruction"].strip()):
        raise EditNotApplied(f"{EDIT_FILE}: give a prefix or an instruction, one of the two")
    _check_shapes(texts["readout"], arrays)
    return Gate(sha256=fingerprint(files), threshold=threshold, norm=share, arrays=arrays, **texts)


def _check_shapes(readout: str, arrays: Arrays) -> None:
    wanted = {"mean": "w", "scale": "w", **SHAPES[readout]}
    if set(arrays) != set(wanted):
        raise EditNotApplied(
            f"{TENSORS_FILE}: the arrays of {readout} are {', '.join(sorted(wanted))}, not {', '.join(sorted(arrays))}"
        )
    sizes: dict[str, int] = {}
    for name, dimensions in wanted.items():
        shape = arrays[name].shape
        if len(shape) != len(dimensions) or any(
            sizes.setdefault(dimension, size) != size for dimension, size in zip(dimensions, shape, strict=True)
        ):
            raise EditNotApplied(f"{TENSORS_FILE}: {name} has the shape {list(shape)}, which the others do not fit")
        if not np.isfinite(arrays[name]).all():
            raise EditNotApplied(f"{TENSORS_FILE}: {name} holds numbers that are not finite")
    if 0 in sizes.values() or not (arrays["scale"] > 0).all():
        raise EditNotApplied(f"{TENSORS_FILE}: an array is empty, or scale is not above 0")
