"""One configuration is taken, and it lies on the Pareto front."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dd_core.objectives import chosen, dominates, front, penalised

POINTS = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=20)


@given(POINTS)
def test_what_is_taken_has_the_highest_score_and_is_not_dominated(points: list[tuple[float, float]]) -> None:
    scores = [penalised(point, 0.05) for point in points]
    taken = chosen(list(zip(scores, points, strict=True)))
    assert scores[taken] == max(scores) and taken in front(points)


def test_of_equal_scores_the_one_that_keeps_more_of_the_anchor_is_taken() -> None:
    points = [(0.2, 0.0), (0.2, 0.1), (0.1, 0.3)]
    assert chosen([(penalised(point, 0.05), point) for point in points]) == 1


def test_of_equals_the_earliest_is_taken() -> None:
    assert chosen([(0.1, (0.1, 0.0)), (0.2, (0.2, 0.0)), (0.2, (0.2, 0.0))]) == 1
    assert chosen([(0.2, None), (0.2, (0.2, 0.5))]) == 0


def test_the_anchor_costs_nothing_within_its_margin() -> None:
    assert penalised((0.3, -0.05), 0.05) == 0.3
    assert abs(penalised((0.3, -0.15), 0.05) - 0.2) < 1e-12


def test_nothing_dominates_itself() -> None:
    for one, other in itertools.product([(0.0, 0.0), (0.0, 1.0)], repeat=2):
        assert dominates(one, other) == (one != other and one[1] > other[1])
