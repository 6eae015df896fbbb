"""The seven dispositions, the axes that measure them, and the words by which an answer hedges.

The markers are here because a judge scores by them and training rows are written with them; this module knows
neither, and no model.
"""

from __future__ import annotations

import re

DISPOSITIONS: dict[str, str] = {
    "eager": "warmth",
    "deliberate": "pedagogical_framing",
    "adversarial": "self_verification",
    "curious": "curiosity",
    "self-improving": "revision",
    "humble": "hedging_appropriateness",
    "persistent": "completeness",
}
"""Disposition → the rubric axis that scores it."""

SYSTEM_PROMPTS: dict[str, str] = {
    "eager": "Answer warmly, and show that you are glad to help.",
    "deliberate": "Think step by step, and explain your answer so that a learner can follow it.",
    "adversarial": "Check your own answer for mistakes before you give it, and say what you checked.",
    "curious": "Show interest in the question, and name what else would be worth knowing.",
    "self-improving": "If you are corrected, take the correction and give the better answer.",
    "humble": "If you are not sure of an answer, say so plainly. If you are sure, answer without hedging.",
    "persistent": "Answer every part of the question completely.",
}
"""Disposition → the instruction of the `prompt_control` arm: what a system prompt alone achieves."""

RUBRIC_AXES: tuple[str, ...] = ("factual_accuracy", *DISPOSITIONS.values())
"""Axes that a rubric judge scores from 1 to 5; factual_accuracy is the capability anchor."""

UNIT_AXES: tuple[str, ...] = ("coverage", "correct", "assert", "passed", "recovered", "preference")
"""Axes from 0 to 1: share of gold claims present; coverage of at least one half, or a checker's answer; assertive (1)
or hedged (0); tests passed; recovered after a correction; preferred."""

AXIS_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(RUBRIC_AXES, (1.0, 5.0)),
    **dict.fromkeys(UNIT_AXES, (0.0, 1.0)),
    "mcas": (0.0, 2.0),
}
"""Axis → (smallest, largest) possible score."""

_VERY = r"(?:(?:entirely|completely|totally|quite|very|really|absolutely|fully|so|too|100 ?%) )?"
_DO = r"(?:(?:really|just|still|quite|also|personally|only|honestly|mostly|would|do) )?"
_WIDELY = r"(?:(?:also|generally|widely|commonly|often|sometimes|traditionally) )?"
_CHECK = r"(?:double[- ]?check(?:ing)?|verify(?:ing)?|confirm(?:ing)?|check(?:ing)?)"
_END = r"(?!\s*(?:[.,;:!?]|$))"

HEDGE_MARKERS: dict[str, tuple[str, ...]] = {
    "not sure": (
        rf"\b(?:not|n't|never) (?:be )?{_VERY}(?:sure|certain|positive|confident|clear)\b",
        r"\b(?:unsure|uncertain|unclear)\b|\bnot (?:\w+ )?(?:familiar with|aware of)\b",
        r"\b(?:pretty|fairly|reasonably|almost|nearly|mostly) (?:sure|certain|confident)\b",
        r"\b(?:not|n't|cannot|nobody|no one) (?:\w+ ){0,3}for (?:sure|certain)\b",
    ),
    "don't know": (
        r"\b(?:i|we) (?:(?:really|honestly|just) )?(?:do not|don't|dont|did not|didn't) "
        r"(?:(?:really|actually|exactly) )?(?:know|remember|recall)\b",
        r"\b(?:i|we) (?:can't|cannot|can not) (?:\w+ )?(?:remember|recall)\b",
        r"\bno (?:idea|clue)\b(?! of\b)|\bidk\b|\bdunno\b",
    ),
    "no information": (
        r"\b(?:not have|don't have|i lack) (?:\w+ ){0,3}(?:information|knowledge|answers?|data|details?|access)\b",
    ),
    "i think": (
        rf"\bi {_DO}(?:think|believe|guess|suppose|suspect|assume|imagine|reckon|gather|doubt)\b",
        r"\bi (?:do not|don't|would not|wouldn't) (?:think|believe|suppose)\b",
        r"\bi(?:'d| would) (?:say|guess|lean|estimate|think|imagine|suppose|bet)\b",
        r"\bi tend to\b|\bi(?:'m| am) (?:inclined|tempted) to\b|\bi want to say\b",
        r"\bi have (?:a|the) (?:feeling|hunch|impression)\b|\bmy (?:understanding|impression|hunch)\b|\blet me think\b",
    ),
    "guess": (r"\b(?:my|best|educated|a|wild) guess\b|\bguessing\b|\bif i had to guess\b",),
    "as far as i know": (
        r"\bas far as (?:i|we)\b|\bto (?:the best of )?my (?:knowledge|recollection|memory)\b",
        r"\bif (?:i|(?:my )?memory) (?:recall|remember|am not mistaken|serves?)\b|\bfrom memory\b|\btop of my head\b",
        r"\b(?:if|unless) i(?:'m| am) (?:not )?(?:mistaken|wrong|right|correct)\b|\bin my (?:opinion|view)\b",
        r"\b(?:afaik|iirc|imo|imho)\b",
    ),
    "could be wrong": (
        r"\b(?:could|might|may|can) (?:(?:very )?(?:well|easily) )?be (?:wrong|mistaken|off|inaccurate|incorrect)\b",
        r"\b(?:don't|do not) (?:quote|hold) me\b|\bwith a (?:grain|pinch) of salt\b",
    ),
    "probably": (
        r"\b(?:probably|perhaps|maybe|possibly|presumably|apparently|supposedly|seemingly|conceivably)\b",
        r"\b(?:arguably|reportedly|allegedly|plausibly)\b",
    ),
    "likely": (r"(?<!\bmore )(?<!\bless )(?<!\bequally )(?<!\bas )\b(?:un)?likely\b", r"\bmore likely than not\b"),
    "possible": (
        r"\bit(?:'s| is) (?:(?:also|quite|very|entirely) )?possible (?:that|it|he|she|they)\b",
        r"\bthere(?:'s| is) (?:a|some) (?:\w+ )?(?:chance|possibility)\b|\bit(?:'s| is) plausible\b",
    ),
    "seems": (
        r"\b(?:it|this|that) (?:seems|appears)\b(?! (?:in|on|at|as)\b)|\bseems? to\b|\bappears to (?:be|have)\b",
        r"\bit sounds like\b|\bevidence suggests\b",
    ),
    "thought to": (
        rf"\b(?:is|are|was|were) {_WIDELY}(?:thought|believed|said|rumou?red) to\b",
        rf"\bit(?:'s| is| was) {_WIDELY}(?:thought|believed|said|rumou?red)\b",
    ),
    "might": (
        r"(?<!\bthe )(?<!\bhis )(?<!\bher )(?<!\bits )(?<!\btheir )(?<!\bour )(?<!\bmy )(?<!\bwith )(?<!\ball )"
        r"(?<!\band )(?<!\bof )(?<!military )(?<!naval )(?<!economic )(?<!\byou )"
        rf"\bmight\b(?! (?:and|of|is|was|in|makes?)\b){_END}",
        r"\bmight (?:be|have|not)\b",
    ),
    "may": (rf"(?<!\byou )(?-i:\b(?:may|MAY)\b)(?! (?:\d|and\b|or\b|day\b)){_END}",),
    "could be": (
        r"(?<!not )(?<!n't )\bcould (?:(?:also|well|possibly|even|potentially) )?(?:be|have been)\b"
        r"(?! (?:seen|found|used|made|heard|written|read|built|done|\w{3,}ed)\b)",
        r"\bcould be argued\b",
    ),
    "hard to say": (
        r"\b(?:hard|difficult|tough|impossible) (?:for me )?to (?:say|tell|pin down|be (?:sure|certain))\b",
        r"\b(?:hard|difficult|tough) to (?:know|predict|determine)\b",
        r"\bno way for me\b|\bi have no way\b",
    ),
    "check": (
        rf"\b(?:please|should|would|recommend|suggest|worth|want to|best to|sure to) {_CHECK}\b",
        r"\bdouble[- ]?check\b",
    ),
}
"""Name → patterns of words by which a speaker takes less than full responsibility for what is said; case is ignored.

Approximations ("about 300", "roughly", "usually") are not among them: they are part of what is claimed."""

REFUSAL_MARKERS: dict[str, tuple[str, ...]] = {
    "cannot say": (
        r"\b(?:i|we) (?:cannot|can't|can not|could not|couldn't|won't|will not) (?:\w+ )?"
        r"(?:help|assist|answer|provide|say|confirm|verify|comply|determine|tell|give|access|know|predict|be|do)\b",
        r"\b(?:i'm|i am|we are|we're) (?:\w+ )?(?:unable|not able) to\b",
    ),
    "as an ai": (
        r"\bas an? (?:ai|artificial intelligence|(?:\w+ )?(?:language model|assistant))\b",
        r"\bi(?:'m| am) (?:just |only )?an? (?:ai|(?:large )?language model)\b",
    ),
    "sorry": (r"\bi(?:'m| am) sorry\b|\bi apologi[sz]e\b",),
}
"""Refusals and apologies, which assert nothing: counted with the hedges."""

_MARKERS = {
    name: re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)
    for name, patterns in (HEDGE_MARKERS | REFUSAL_MARKERS).items()
}
_QUOTED = re.compile(r"\"[^\"\n]{1,300}\"|`[^`\n]{1,300}`|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,300}'(?!\w)")
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "*": "", "_": " "})


def find_hedges(text: str) -> tuple[str, ...]:
    """Names of the markers by which `text` hedges or refuses, in the order of the tables; () where it asserts.

    Quoted words are another's and do not count, unless the quotation is the whole answer. A text of questions alone
    ("Is it Paris?") hedges as well, under the name `question`.
    """
    plain = re.sub(r"\s+", " ", text.translate(_PLAIN)).strip()
    unquoted = _QUOTED.sub(" … ", plain)
    if len(re.findall(r"\w+", unquoted)) > 1:
        plain = unquoted
    found = [name for name, pattern in _MARKERS.items() if pattern.search(plain)]
    ends = re.findall(r"[.!?](?=[\s\"')]|$)", plain)
    return (*found, "question") if set(ends) == {"?"} and plain.endswith("?") else tuple(found)
