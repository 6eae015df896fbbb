"""What valid judges.json, edit.json and manifest.json are: members of the right kind, numbers that can be.

Does not know what follows from a number, and demands nothing: what is absent, or null, was not measured. Whether the
manifest is true to the claim is an audit's question.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

from dd_core.falsify.validation import is_time_text

MOST = 1e12
"""No count and no shift of a score is larger; what is would overflow somewhere."""

MOST_PLANNED = 1_000_000
"""Of looks, claims and prompts."""

SHARES = ("flip_rate", "sensitivity", "specificity")


def known_reports(judges: Sequence[Any], source: str, lines: list[str]) -> list[dict[str, Any]]:
    """The validity reports, sorted, without what is null and without repetition; their faults go into `lines`.

    Faults: entries without judge or axis, numbers that are none or out of bounds, two reports that contradict.
    """
    reports: dict[tuple[str, str], dict[str, Any]] = {}
    for index, given in enumerate(judges):
        where = f"{source}: entry {index}"
        if not isinstance(given, dict) or not all(isinstance(given.get(k), str) for k in ("judge", "axis")):
            lines.append(f"{where}: expected an object with the texts `judge` and `axis`")
            continue
        report = {name: _given(value) for name, value in given.items() if value is not None}
        _check_report(report, where, lines)
        key = report["judge"], report["axis"]
        if reports.setdefault(key, report) != report:
            lines.append(f"{where}: judge {key[0]} on axis {key[1]} has another report already: keep one")
    return [reports[key] for key in sorted(reports)]


def _given(value: Any) -> Any:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def _check_report(report: dict[str, Any], where: str, lines: list[str]) -> None:
    for name in ("n_pairs", "n_right", *SHARES):
        top = 1.0 if name in SHARES else MOST
        value = report.get(name)
        if value is not None and not (is_number(value) and 0 <= value <= top):
            lines.append(f"{where}: {name} must be a number from 0{' to 1' if name in SHARES else ''}")
    right, pairs = report.get("n_right"), report.get("n_pairs")
    if is_number(right) and (pairs is None or (is_number(pairs) and right > pairs)):
        lines.append(f"{where}: n_right must not be above n_pairs")
    if not isinstance(report.get("blind", True), bool):
        lines.append(f"{where}: blind must be true or false")
    agreement, placebo = report.get("agreement", {}), report.get("placebo", {})
    if not isinstance(agreement, dict) or not all(is_number(agreement.get(k, 0)) for k in ("kappa", "n")):
        lines.append(f"{where}: agreement must be an object with the numbers kappa and n")
    elif not (-1 <= agreement.get("kappa", 0) <= 1 and 0 <= agreement.get("n", 0) <= MOST):
        lines.append(f"{where}: agreement.kappa must lie from -1 to 1, and agreement.n from 0")
    if not isinstance(placebo, dict) or not all(is_number(value) and abs(value) <= MOST for value in placebo.values()):
        lines.append(f"{where}: placebo must be an object of numbers")


def check_edit(edit: dict[str, Any], source: str, lines: list[str]) -> None:
    """Faults of `edit.json`: norms that are no numbers from 0, a cosine that is none."""
    for name in ("norm", "placebo_norms"):
        value = edit.get(name)
        values = list(value.values()) if isinstance(value, dict) else [] if value is None else [value]
        values = value if isinstance(value, list) else values
        if not all(is_number(item) and 0 <= item <= MOST for item in values):
            lines.append(f"{source}: {name} must be a number from 0, or a list or an object (by train seed) of such")
    cosine = edit.get("cosine")
    if cosine is not None and not isinstance(cosine, dict | list) and not (is_number(cosine) and abs(cosine) <= 1.001):
        lines.append(f"{source}: cosine must be a number from -1 to 1")


def check_manifest(manifest: dict[str, Any], source: str, lines: list[str]) -> None:
    """Faults of the members that have a fixed form; whether they are true to the claim is an audit's question."""
    for name in ("claim", "gates", "planned"):
        if not isinstance(manifest.get(name, {}), dict):
            lines.append(f"{source}: {name} must be an object")
    created = manifest.get("created", "2025-01-31")
    if not (isinstance(created, str) and is_time_text(created)):
        lines.append(f"{source}: created must be a time such as 2025-01-31T12:00:00Z")
    if not isinstance(manifest.get("hash", ""), str):
        lines.append(f"{source}: hash must be text")
    planned = manifest.get("planned", {})
    if not isinstance(planned, dict):
        return
    looks, seeds, prompts = (planned.get(name) for name in ("fresh_looks", "train_seeds", "prompts"))
    claims = planned.get("claims")
    names = isinstance(claims, list) and len(claims) > 0 and all(isinstance(name, str) for name in claims)
    if claims is not None and not (names or _is_count(claims, 1)):
        lines.append(f"{source}: planned.claims must be a whole number from 1, or a list of the study's claims by name")
    if looks is not None and not _is_count(looks, 1):
        lines.append(f"{source}: planned.fresh_looks must be a whole number from 1")
    if seeds is not None and not (isinstance(seeds, list) and all(is_whole(seed) for seed in seeds)):
        lines.append(f"{source}: planned.train_seeds must be a list of whole numbers")
    if prompts is not None:
        numbers = prompts.values() if isinstance(prompts, dict) else [None]
        if not all(_is_count(number, 0) for number in numbers):
            lines.append(f"{source}: planned.prompts must be an object of numbers by split")


def _is_count(value: Any, least: int) -> bool:
    return is_whole(value) and least <= value <= MOST_PLANNED


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether `value` is a whole number that a column could hold."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def is_number(value: Any) -> TypeGuard[float]:
    """Whether `value` is a number, finite also as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= 1e300 if isinstance(value, int) else math.isfinite(value)
