"""The whole of it: the table, the verdicts on the released rows, and the second look; and the same as JSON.

Knows the order of these. Does not know how a page or a terminal shows them.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dd_core.falsify.paper.claims import Audited, audit_release
from dd_core.falsify.paper.counts import count_rows
from dd_core.falsify.paper.edits import edit_rows
from dd_core.falsify.paper.look_answers import answer_looks
from dd_core.falsify.paper.look_edits import edit_looks
from dd_core.falsify.paper.look_labels import label_looks
from dd_core.falsify.paper.look_probes import probe_looks
from dd_core.falsify.paper.looks import Look
from dd_core.falsify.paper.probes import probe_rows
from dd_core.falsify.paper.refit import STRENGTHS, fit_smollm
from dd_core.falsify.paper.release import read_release
from dd_core.falsify.paper.rows import Row

FORMAT = "ddsweep-paper/1"
PAPER = "arXiv 2604.11867"


@dataclass(frozen=True)
class Replication:
    """What came of a folder of released files.

    Args:
        rows: every number, recomputed beside printed, in the order of the table.
        claims: the verdicts on what the rows can be asked.
        looks: what the rows say and the paper does not.
        absent: paths of released files that the folder lacks.
        seed: of the resampling.
    """

    rows: tuple[Row, ...]
    claims: tuple[Audited, ...]
    looks: tuple[Look, ...]
    absent: tuple[str, ...]
    seed: int = 0

    @property
    def tally(self) -> dict[str, int]:
        """How many rows have each status."""
        counts = Counter(row.status for row in self.rows)
        return {status: counts[status] for status in ("same", "differs", "in_file", "absent", "not_computable")}

    @property
    def sentences(self) -> dict[str, str]:
        """Claim → its verdict in a sentence, or why there is none."""
        from dd_core.report import verdict_sentence

        told = {}
        for claim in self.claims:
            if claim.verdict is None or claim.bundle is None:
                told[claim.name] = f"not put to the falsifier: {claim.why}"
            else:
                published = claim.verdict.readings["paper"]
                told[claim.name] = (
                    f"{verdict_sentence(claim.verdict, claim.bundle.claim)} By point estimates alone: {published}."
                )
        return told

    def json_bytes(self) -> bytes:
        """The same rows, the same bytes: sorted keys, ASCII, one newline at the end; no time, host or path in it."""
        sentences = self.sentences
        value: dict[str, Any] = {
            "format": FORMAT,
            "paper": PAPER,
            "tally": self.tally,
            "absent": list(self.absent),
            "rows": [asdict(row) for row in self.rows],
            "claims": [
                {
                    "name": claim.name,
                    "about": claim.about,
                    "sentence": sentences[claim.name],
                    "verdict": claim.verdict.model_dump(mode="json") if claim.verdict else None,
                }
                for claim in self.claims
            ],
            "second_look": [asdict(look) for look in self.looks],
            "seed": self.seed,
        }
        return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode()


def replicate_paper(folder: str | Path, seed: int = 0) -> Replication:
    """Recompute the paper's numbers from its released files, and audit the same rows.

    Args:
        folder: a checkout of the paper's public repository, or a folder laid out like one; any file may be absent.
        seed: of the resampling.

    Raises:
        InputError: no such folder, none of the files in it, or a malformed file; one line per fault.
    """
    release = read_release(folder)
    fits = {strength: fit_smollm(release, strength) for strength in STRENGTHS}
    return Replication(
        rows=(*count_rows(release), *probe_rows(release, fits), *edit_rows(release)),
        claims=audit_release(release, seed),
        looks=(*answer_looks(release), *label_looks(release), *probe_looks(release, fits, seed), *edit_looks(release)),
        absent=release.absent,
        seed=seed,
    )
