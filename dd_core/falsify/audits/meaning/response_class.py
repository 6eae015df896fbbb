"""Is the gain carried by refusals, empty answers, echoes, another language, think blocks or injections?

fails when, without the pairs in which either answer is such, the whole 99.93% interval of the effect lies under the
gate, or when nearly all treated answers are such. Classes are told by patterns, another language by its script or, with
confidence, by lingua: then it is neither the prompt's nor one that at least a tenth of the baseline's answers are in.
Think blocks or another language in over nine tenths of both arms' answers are how the subject answers, and are kept.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.audits.meaning.carried import carried
from dd_core.falsify.case import Case, Finding, nothing_to_explain, tidy
from dd_core.hedges import DECLINES
from dd_core.language import switched

INJECTION = (
    r"(?i)(?:ignore|disregard|forget) (?:all |any )?(?:the |your |my )?(?:of the )?"
    r"(?:previous|prior|above|earlier) (?:instructions?|prompts?|rubric)"
    r"|(?:give|award|assign|grant) (?:this|it|the answer|this answer|this response|me) (?:a |an |the )?"
    r"(?:full|perfect|maximum|max|top|high(?:est)?) (?:score|marks?|rating|grade)"
    r"|(?:give|award|assign) (?:this|it|me)(?: answer| response)? (?:a )?(?:score of )?5\b"
    r"|\b(?:note|message|instructions?) (?:to|for) (?:the )?(?:judge|grader|evaluator)\b"
    r"|\bscore\s*[:=]\s*5\s*(?:/\s*5)?\b"
)
THINK = r"(?i)</?think(?:ing)?>"
ECHO_CHARS = 20
"""A prompt shorter than this may stand in an answer by chance."""

ECHO_MORE = 1.25
"""An answer that goes on for more than a quarter of the prompt's length says something of its own."""

OWN_WAY = 0.9
SUBJECTS_OWN = ("think", "other_language", "other_script")


def _plain(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace_all(r"\W+", " ").str.strip_chars()


def _echo() -> pl.Expr:
    asked, said = _plain(pl.col("prompt")), _plain(pl.col("response"))
    return (
        (asked.str.len_chars() >= ECHO_CHARS)
        & said.str.starts_with(asked)
        & (said.str.len_chars() <= ECHO_MORE * asked.str.len_chars())
    )


def _foreign() -> pl.Expr:
    """Whether most letters are of no script of the prompt's: Latin prompt, other answer."""
    letters = pl.col("response").str.count_matches(r"\p{L}")
    latin = pl.col("response").str.count_matches(r"\p{Latin}")
    asked = pl.col("prompt").str.count_matches(r"\p{Latin}") * 2 > pl.col("prompt").str.count_matches(r"\p{L}")
    return asked & (letters > 0) & (latin * 2 < letters)


CLASSES: dict[str, pl.Expr] = {
    "empty": pl.col("response").str.strip_chars() == "",
    "echo": _echo(),
    "refusal": pl.col("response").str.contains(DECLINES),
    "think": pl.col("response").str.contains(THINK),
    "injection": pl.col("response").str.contains(INJECTION),
    "other_script": _foreign(),
}
"""Class → whether an answer is one, told from its row alone; another language is told among all answers."""


def audit(case: Case) -> Finding:
    split = case.explained
    if split is None:
        return nothing_to_explain()
    flagged, shares = odd_answers(case, split)
    flag = pl.col("response_id").is_in(sorted(flagged))
    return carried(case, flag, "without refusals, empty answers, echoes and the like", classes=shares)


def odd_answers(case: Case, split: str) -> tuple[set[str], dict[str, dict[str, float]]]:
    """Ids of the treated and baseline answers on `split` that are of some class, and the classes' shares by arm."""
    arms = {arm: case.view.select(arm, split) for arm in ("treated", "baseline")}
    shares: dict[str, dict[str, float]] = {arm: {} for arm in arms}
    flagged: set[str] = set()
    for name, members in classify(case, split).items():
        found = {arm: _share(rows, members) for arm, rows in arms.items()}
        for arm, share in found.items():
            if share:
                shares[arm][name] = tidy(share)
        if not (name in SUBJECTS_OWN and all(share > OWN_WAY for share in found.values())):
            flagged |= members
    return flagged, shares


def _share(rows: pl.DataFrame, ids: set[str]) -> float:
    return len(ids.intersection(rows["response_id"].to_list())) / rows.height if rows.height else 0.0


def classify(case: Case, split: str) -> dict[str, set[str]]:
    """Class → ids of the treated and baseline answers on `split` that are one; told once for a case."""
    key = ("odd answers", split)
    if key not in case.memo:
        rows = pl.concat([case.view.select(arm, split) for arm in ("treated", "baseline")])
        table = rows.select("response_id", **{name: flag.fill_null(False) for name, flag in CLASSES.items()})
        found = {name: set(table.filter(name)["response_id"].to_list()) for name in CLASSES}
        case.memo[key] = {**found, "other_language": _other_language(rows)}
    return case.memo[key]


def _other_language(rows: pl.DataFrame) -> set[str]:
    """Answers in a language that is neither their prompt's nor common among the baseline's answers."""
    baseline = rows.filter(pl.col("arm") == "baseline")["response"].to_list()
    return switched(rows.select("response_id", "prompt", "response").iter_rows(), baseline)
