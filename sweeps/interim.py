"""The claimed shift on eval as it stands while a search goes on: one trial against the base, with an interval.

By the falsifier's own estimate, but of one configuration among many, looked at as often as one likes: no ground to
stop, and nothing that a verdict rests on. Does not know where rows come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from dd_core.claim import Claim
from dd_core.falsify.bundle import bundle_from_tables
from dd_core.falsify.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERIM = "interim, not corrected for looking or choosing: no ground to stop"
"""What must be said before every interval that is shown before the end."""


@dataclass(frozen=True)
class Shift:
    """A mean paired difference in the claimed direction, in units of the axis, with its 95% interval over prompts.

    Args:
        low, high: None where one prompt allows no interval.
    """

    mean: float
    low: float | None
    high: float | None
    n_prompts: int


def base_rows(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Of the base's trial, the answers on eval and their judgements."""
    return _chosen(tables, pc.field("split") == "eval")


def interim_shift(
    claim: Claim, base: Mapping[str, pa.Table], tables: Mapping[str, pa.Table], strength: float | None = None
) -> Shift | None:
    """The shift of one trial of the search; None where there is no pair, or the claim is of no shift.

    Args:
        base: as `base_rows` gives it.
        tables: `responses` and `judgements` of the trial.
        strength: its own, where it tried several.
    """
    if claim.kind != "shift":
        return None
    where = (pc.field("split") == "eval") & (pc.field("arm") == "treated")
    if strength is not None:
        where &= pc.field("strength") == strength
    own = _chosen(tables, where)
    if not own["responses"].num_rows:
        return None
    joined = {
        name: pa.concat_tables([base[name], own[name]], promote_options="default")
        for name in ("responses", "judgements")
    }
    view = View(bundle_from_tables(claim, **joined, source="watch"))
    found = view.difference(claim.axis, "eval", sign=1 if claim.direction == "increase" else -1)
    if found is None:
        return None
    low, high = found.interval() if found.has_interval else (None, None)
    return Shift(found.mean, low, high, found.n_prompts)


def _chosen(tables: Mapping[str, pa.Table], where: pc.Expression) -> dict[str, pa.Table]:
    """The answers of a condition, and the judgements of these."""
    responses = tables["responses"].filter(where)
    judgements = tables["judgements"]
    kept = pc.is_in(judgements["response_id"], value_set=responses["response_id"].combine_chunks())
    return {"responses": responses, "judgements": judgements.filter(kept)}
