"""Profiles of made-up answers, for tests: the cells of each subject are given, the rest follows."""

from __future__ import annotations

from dd_core.profile import CELLS, Answer, Profile, describe
from dd_core.subjects.registry import Decoding

CATEGORIES = ("mother sauce", "temperature and timing", "technique")
CERTAINTIES = ("certain", "certain", "uncertain", "certain", "ambiguous")


def answer(i: int, cell: str | None, **more: object) -> Answer:
    """The answer number `i`, in a cell or, with None, without a delivery."""
    values: dict[str, object] = {
        "row_id": f"r{i}",
        "prompt_id": f"p{i}",
        "prompt": f"Question {i}?",
        "category": CATEGORIES[i % 3],
        "certainty": CERTAINTIES[i % 5],
        "seed": 0,
        "response": "It is so.",
        "cut": i % 4 == 0,
        "correct": cell is not None and cell.startswith("right"),
        "asserts": None if cell is None else cell.endswith("assert"),
        "errors": () if cell is not None else (("assert", "ValueError: the answer is empty"),),
    }
    return Answer(**{**values, **more})  # type: ignore[arg-type]


def answers(cells: tuple[int, int, int, int], errors: int = 0, **more: object) -> list[Answer]:
    """So many answers in each of `CELLS`, each to a prompt of its own, and so many that a judge could not read."""
    names = [name for name, n in zip((*CELLS, None), (*cells, errors), strict=True) for _ in range(n)]
    return [answer(i, name, **more) for i, name in enumerate(names)]


def profile(**subjects: list[Answer]) -> Profile:
    """Of subjects whose names have no hyphen."""
    decoding = Decoding(max_new_tokens=96)
    found = tuple(describe(name, decoding, several) for name, several in subjects.items())
    return Profile(
        domain="chef",
        split="eval",
        prompts=max(one.whole.prompts for one in found),
        samples=1,
        seed=0,
        max_new_tokens=96,
        judges={"correct": "checklist-0", "assert": "delivery-0"},
        subjects=found,
    )
