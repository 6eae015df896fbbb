"""The mechanism that a verdict names, with the audits whose numbers decided it and those that were looked for in vain.

Repeats what was decided; does not weigh it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dd_core.falsify.verdict import MECHANISMS, AuditResult, Verdict
from dd_core.report.words import MECHANISMS as TEXTS


@dataclass(frozen=True)
class Explained:
    """A mechanism as shown.

    Args:
        decided_by: the audits that name it, gathered by the caller.
        looked_for: (audit, status, note) of the other audits that could have named one and could be checked.
    """

    name: str
    text: str
    decided_by: tuple[dict[str, Any], ...]
    looked_for: tuple[tuple[str, str, str], ...]


def explained(verdict: Verdict, gather: Callable[[AuditResult], dict[str, Any]]) -> Explained | None:
    """The verdict's mechanism; None where it names none.

    Args:
        gather: what the page shows of an audit.
    """
    if verdict.mechanism is None:
        return None
    by_id = {audit.id: audit for audit in verdict.audits}
    naming = [by_id[name] for name in MECHANISMS if name in by_id]
    deciding = [a for a in naming if MECHANISMS[a.id] == verdict.mechanism and a.id in verdict.reasons]
    others = [a for a in naming if a not in deciding and a.status not in ("not_applicable", "not_checkable")]
    return Explained(
        verdict.mechanism,
        TEXTS.get(verdict.mechanism, ""),
        tuple(gather(audit) for audit in deciding),
        tuple((audit.id, audit.status, audit.note) for audit in others),
    )
