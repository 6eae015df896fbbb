"""What is claimed is checked when it is read, and hashed over the question alone."""

from __future__ import annotations

import pytest

from dd_core.claim import Claim, Gates, manifest_hash, preregistration_hash

FIELDS = {"name": "c", "statement": "s", "kind": "shift", "axis": "assert", "anchor": "correct"}


def test_the_default_gates_are_the_preregistered_ones():
    gates = Gates()
    assert (gates.difference, gates.fresh_auc, gates.within_auc, gates.variant_auc) == (0.05, 0.63, 0.65, 0.60)


def test_an_axis_that_is_not_ours_needs_its_range():
    with pytest.raises(ValueError, match="empathy"):
        Claim(**FIELDS | {"axis": "empathy"})
    claim = Claim(**FIELDS | {"axis": "empathy", "axes": {"empathy": {"min": 0, "max": 2}}})
    assert claim.range_of("empathy") == (0.0, 2.0)
    assert claim.range_of("factual_accuracy") == (1.0, 5.0)


def test_a_shift_without_an_anchor_is_refused():
    with pytest.raises(ValueError, match="anchor"):
        Claim(**FIELDS | {"anchor": None})


@pytest.mark.parametrize("gates", [{"differnce": 0.1}, {"difference": 0.0}, {"fresh_auc": 0.4}])
def test_an_unknown_or_impossible_gate_is_refused(gates):
    with pytest.raises(ValueError):
        Claim(**FIELDS | {"gates": gates})


def test_the_preregistration_hash_ignores_when_and_where():
    manifest = {"claim": FIELDS, "gates": {}, "planned": {"fresh_looks": 1}, "created": "2026-01-01", "environment": {}}
    later = manifest | {"created": "2026-02-02", "environment": {"python": "3.11"}}
    assert preregistration_hash(manifest) == preregistration_hash(later)
    assert manifest_hash(manifest) != manifest_hash(later)
    assert preregistration_hash(manifest) != preregistration_hash(manifest | {"gates": {"difference": 0.1}})


def test_the_manifest_hash_leaves_itself_out():
    manifest = {"claim": FIELDS, "created": "2026-01-01"}
    assert manifest_hash(manifest | {"hash": "sha256:0"}) == manifest_hash(manifest)
