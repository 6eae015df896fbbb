from __future__ import annotations

import pytest

from dd_core.errors import InputError
from dd_core.subjects.registry import get_subject
from dd_core.subjects.states import CONTRAST, parse_tags

HYBRID = get_subject("tiny-qwen3.5").layout
GEMMA = get_subject("tiny-gemma4").layout


def test_a_tag_is_as_wide_as_what_it_reads():
    tags = parse_tags(["h_last", "h_last.0", "mean_last4", "mean_tail32", "o_proj.5"], GEMMA)
    assert [tag.width for tag in tags] == [64, 64, 64, 64, 4 * 32]
    assert [tag.layer for tag in tags] == [None, 0, None, None, 5]


def test_a_contrast_has_a_figure_for_each_token():
    assert [(tag.kind, tag.width) for tag in parse_tags(CONTRAST, GEMMA)] == [("contrast", None)] * 3


@pytest.mark.parametrize(
    "name", ["h_first", "h_last.", "h_last.01", "o_proj", "contrast", "contrast.jsd", "mean_last5"]
)
def test_nonsense_is_told_what_there_is(name):
    with pytest.raises(InputError, match="is no tag of a state"):
        parse_tags([name], GEMMA)


def test_a_layer_that_is_not_there_or_has_no_heads_is_told():
    with pytest.raises(InputError, match="there is no layer 8; layers are 0 to 7"):
        parse_tags(["h_last.8"], HYBRID)
    with pytest.raises(InputError, match="layer 2 has no softmax attention; layers with it: 3, 7"):
        parse_tags(["o_proj.2"], HYBRID)


def test_each_tag_is_there_once_in_its_order():
    assert [tag.name for tag in parse_tags(["o_proj.3", "h_last", "o_proj.3"], HYBRID)] == ["o_proj.3", "h_last"]
