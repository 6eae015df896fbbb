"""Equal things have one name, and nothing without a value gets one."""

from __future__ import annotations

import hashlib
import json
import math

import pytest
from pydantic import BaseModel

from dd_core.canonical import canonical, compact_json, digest, round_significant


def test_one_and_one_point_zero_have_the_same_name():
    assert digest({"epochs": 1}) == digest({"epochs": 1.0})
    assert digest({"epochs": 1}) != digest({"epochs": 1.5})


def test_the_order_of_keys_changes_no_name():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": (1, 2), "a": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_name(value):
    with pytest.raises(ValueError):
        digest({"loss": value})


def test_true_is_not_one():
    assert digest(True) != digest(1)


def test_a_model_is_named_by_its_fields():
    class Point(BaseModel):
        x: float

    assert digest(Point(x=2.0)) == digest({"x": 2})


def test_a_key_that_is_no_string_is_refused():
    with pytest.raises(TypeError):
        canonical({1: "one"})


def test_compact_json_is_what_the_manifest_format_says():
    value = {"b": "é", "a": [1.5, None]}
    expected = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    assert compact_json(value) == expected
    assert digest(value) == hashlib.sha256(expected).hexdigest()


def test_suggested_floats_keep_six_significant_digits():
    assert round_significant(0.00012345678) == 0.000123457
    assert round_significant(123456789.0) == 123457000.0
