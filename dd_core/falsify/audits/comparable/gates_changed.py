"""Were claim and gates fixed before the first fresh answer, and never touched since?

fails when the claim or a gate differs from the manifest, when the manifest's hash is not that of its content, or when
a fresh answer is older than the manifest.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
from pydantic import ValidationError

from dd_core.claim import Claim, Gates, manifest_hash
from dd_core.falsify.case import Case, Finding


def audit(case: Case) -> Finding:
    manifest = case.bundle.manifest or {}
    changed = _changed_claim(manifest.get("claim"), case.claim) + _changed_gates(manifest.get("gates"), case.gates)
    if changed:
        note = f"Changed since the pre-registration: {', '.join(changed)}."
        return Finding("fail", note, {"changed": changed})
    if "hash" in manifest and manifest["hash"] != manifest_hash(manifest):
        note = "The manifest's hash is not that of its content: it was changed after it was written."
        return Finding("fail", note, {"hash": str(manifest["hash"]), "expected": manifest_hash(manifest)})
    written = _time(manifest.get("created"))
    fresh = case.view.rows.filter((pl.col("split") == "fresh") & pl.col("created").is_not_null())
    if written is not None and fresh.height:
        times = {text: _time(text) for text in fresh["created"].unique().to_list()}
        early = sorted(text for text, time in times.items() if time is not None and time < written)
        if early:
            older = fresh.filter(pl.col("created").is_in(early)).sort("row")
            note = f"{older.height} fresh answers are older than the manifest."
            return Finding("fail", note, {"n_older": older.height}, tuple(older["row"].head(3).to_list()))
    missing = [f"manifest.json: {name}" for name in ("claim", "gates", "created", "hash") if name not in manifest]
    n_undated = case.view.rows.filter((pl.col("split") == "fresh") & pl.col("created").is_null()).height
    if n_undated:
        missing.append("responses.created of the fresh rows")
    if missing:
        return Finding("not_checkable", f"Missing: {', '.join(missing)}.", missing=tuple(missing))
    if written is None:
        return Finding("fail", "The manifest's time is no time.", {"created": str(manifest["created"])})
    return Finding("pass", "Claim and gates are those that were fixed before the first fresh answer.")


def _changed_claim(recorded: Any, claim: Claim) -> list[str]:
    """Fields of the claim, gates apart, that differ from what was recorded; none when nothing was recorded."""
    if recorded is None:
        return []
    try:
        before = Claim.model_validate(recorded).model_dump(mode="json", exclude={"gates"})
    except ValidationError:
        return ["the claim in the manifest is none"]
    now = claim.model_dump(mode="json", exclude={"gates"})
    return [f"claim.{name}" for name in now if now[name] != before[name]]


def _changed_gates(recorded: Any, gates: Gates) -> list[str]:
    """Gates that differ from what was recorded, defaults filled in; none when nothing was recorded."""
    if recorded is None:
        return []
    try:
        before = Gates.model_validate(recorded).model_dump()
    except ValidationError:
        return ["the gates in the manifest are none"]
    return [
        f"gates.{name} ({before[name]:g} became {now:g})"
        for name, now in gates.model_dump().items()
        if now != before[name]
    ]


def _time(text: Any) -> datetime | None:
    """An ISO 8601 time, in UTC where it names no zone; None when it is none."""
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
