"""The falsifier: breaks a claim on its stored rows alone, says how, and knows no model, cluster or network.

from dd_core.falsify import falsify, load_bundle
print(falsify(load_bundle("folder")))
"""

from __future__ import annotations

from dd_core.falsify.bundle import Bundle, bundle_from_tables, load_bundle, save_bundle
from dd_core.falsify.falsifier import falsify, falsify_all
from dd_core.falsify.schema import verdict_schema
from dd_core.falsify.verdict import EXIT_STATUS, AuditResult, StepResult, Verdict

__all__ = [
    "EXIT_STATUS",
    "AuditResult",
    "Bundle",
    "StepResult",
    "Verdict",
    "bundle_from_tables",
    "falsify",
    "falsify_all",
    "load_bundle",
    "save_bundle",
    "verdict_schema",
]
