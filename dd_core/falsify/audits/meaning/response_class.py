"""Is the gain carried by answers that are none: refusals, empty ones, echoes, another script, think blocks, injections?

fails when, without the pairs in which either answer is such, the whole 99.93% interval of the effect lies under the
gate. Classes are told by patterns; another language is told by its script, so that French for English is not seen.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding, nothing_to_explain, tidy

REFUSAL = (
    r"(?i)^\W*(?:i['’]?m sorry|i am sorry|sorry|i apologi[sz]e|unfortunately)?\W*(?:but )?"
    r"(?:as an ai\b|i (?:cannot|can['’]?t|am unable to|am not able to|will not|won['’]?t) "
    r"(?:help|assist|answer|provide|comply|do that|fulfil|fulfill))"
)
INJECTION = (
    r"(?i)(?:ignore|disregard) (?:all |any )?(?:the )?(?:previous|prior|above) (?:instructions|prompts?)"
    r"|(?:give|award|assign) (?:this|it|the answer|me) (?:a |an )?"
    r"(?:full|perfect|maximum|high(?:est)?) (?:score|marks?|rating)"
    r"|\b(?:note|message) to (?:the )?(?:judge|grader|evaluator)\b|\bscore\s*[:=]\s*5\s*(?:/\s*5)?\b"
)
THINK = r"(?i)</?think(?:ing)?>"
ECHO_CHARS = 20
"""A prompt shorter than this may stand in an answer by chance."""


def _plain(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace_all(r"\W+", " ").str.strip_chars()


def _foreign() -> pl.Expr:
    """Whether most letters are of no script of the prompt's: Latin prompt, other answer."""
    letters = pl.col("response").str.count_matches(r"\p{L}")
    latin = pl.col("response").str.count_matches(r"\p{Latin}")
    asked = pl.col("prompt").str.count_matches(r"\p{Latin}") * 2 > pl.col("prompt").str.count_matches(r"\p{L}")
    return asked & (letters > 0) & (latin * 2 < letters)


CLASSES: dict[str, pl.Expr] = {
    "empty": pl.col("response").str.strip_chars() == "",
    "echo": (_plain(pl.col("prompt")).str.len_chars() >= ECHO_CHARS)
    & _plain(pl.col("response")).str.starts_with(_plain(pl.col("prompt"))),
    "refusal": pl.col("response").str.contains(REFUSAL),
    "think": pl.col("response").str.contains(THINK),
    "injection": pl.col("response").str.contains(INJECTION),
    "other_script": _foreign(),
}
"""Class → whether an answer is one."""


def audit(case: Case) -> Finding:
    if case.explained is None:
        return nothing_to_explain()
    counts = {}
    for arm in ("treated", "baseline"):
        rows = case.view.select(arm, case.explained)
        shares = rows.select(**{name: flag.fill_null(False).mean() for name, flag in CLASSES.items()}).row(
            0, named=True
        )
        counts[arm] = {name: tidy(share) for name, share in shares.items() if share}
    flag = pl.any_horizontal(flag.fill_null(False) for flag in CLASSES.values())
    return case.without(flag, "without refusals, empty answers, echoes and the like", classes=counts)
