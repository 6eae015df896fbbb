"""The paper that this project came from, arXiv 2604.11867: its numbers recomputed, and its rows audited.

    release.py, schema.py   the released files, read and checked
    rows.py                 recomputed beside printed, and when the two are the same
    counts.py, refit.py, probes.py, edits.py   the numbers, by what they are of
    claims.py               the rows put to the falsifier
    looks.py, look_*.py     what the rows say and the paper does not
    replication.py, pages.py   all of it, as JSON, as Markdown, and for a terminal

No data of the paper is here: printed numbers stand beside where they were printed (sections and tables as numbered in
its third version), and rows are read from the folder that is given.
"""

from __future__ import annotations

from dd_core.falsify.paper.pages import files, markdown, terminal
from dd_core.falsify.paper.replication import Replication, replicate_paper

__all__ = ["Replication", "files", "markdown", "replicate_paper", "terminal"]
