"""How a speaker declines to answer. Knows no reason for it."""

from __future__ import annotations

from dd_core.hedges.parts import CANNOT, Markers

_AI = r"an? (?:ai|artificial intelligence|(?:\w+ ){0,2}language model|(?:ai|virtual|digital|helpful) assistant)\b"
_LIFELESS = (
    r"(?:have )?(?:(?:an?|any|real|personal) )*(?:body|bodies|feelings?|emotions?|sleep|eat|taste|age|get tired)\b"
)
"""What no machine has: said of itself it is a plain answer."""

DECLINES = (
    r"(?i)^\W*(?:i['’]?m sorry|i am sorry|sorry|my apologies|i apologi[sz]e|unfortunately)?\W*(?:but )?"
    r"(?:as an ai\b|i (?:cannot|can['’]?t|can not|am unable to|['’]?m unable to|am not able to|will not|won['’]?t) "
    r"(?:help|assist|answer|provide|comply|do that|fulfil|fulfill|respond|engage|discuss|give)"
    r"|i['’]m (?:unable|not able) to (?:help|assist|answer|provide|comply|respond)"
    r"|i (?:must|have to) (?:decline|refuse))"
)
"""An answer that opens by declining; a pattern for polars as well as for `re`."""

REFUSAL_MARKERS: Markers = {
    "cannot say": (
        (
            "i: help assist answer provide say confirm verify comply determine tell give access know predict be do "
            "advise "
            "discuss comment share speculate judge find place think",
            rf"\bi (?:(?:really|honestly|just|simply) )?(?:{CANNOT}|won't|will not) (?:\w+ )?"
            r"(?:help|assist|answer|provide|say|confirm|verify|comply|determine|tell|give|access|know|predict"
            r"|be|do|advise|discuss|comment|share|speculate|judge|find|place|think of)\b"
            r"(?! (?:but|feeling)\b)",
        ),
        (
            "we: help assist answer say confirm verify know sure certain",
            rf"\bwe {CANNOT} (?:\w+ )?(?:help(?! but)|assist|answer|say|confirm|verify|know|be sure|be certain)\b",
        ),
        ("unable able", r"\b(?:i'm|i am|we're|we are) (?:\w+ )?(?:unable|not able) to\b"),
        ("i: can cannot couldn", rf"\bi {CANNOT}[.!]*$"),
    ),
    "rather not": (
        (
            "rather prefer sooner",
            r"(?:\bi(?:'d| would)?|^|[.!?;,] )(?: ?much| ?really)? ?(?:rather|sooner|prefer) (?:to )?not(?: "
            r"to)?\b(?! have\b)"
            r"|\bi(?:'d| would) rather leave\b",
        ),
        (
            "place call role job",
            r"(?:\bnot|n't) (?:\w+ )?my (?:place|call|role|job)\b",
        ),
        (
            "me: say judge decide tell comment choose",
            r"(?:\bnot|n't) (?:\w+ )?for me to (?:say|judge|decide|tell|comment|choose)\b",
        ),
        (
            "only up decide call decision choice",
            r"\bonly you (?:know\b|(?:can|could) (?:\w+ )?(?:decide|know|say|tell|answer|judge|make|choose)\b)"
            r"|\b(?:that|this|it)(?:'s| is) (?:\w+ )?(?:up to you|for you to decide"
            r"|your (?:call|decision|choice)|a (?:\w+ )?(?:decision|choice) (?:only you|for you|you (?:have|need) "
            r"to))\b",
        ),
        ("comfortable", r"(?:\bnot|n't)(?: feel)? comfortable (?:\w+ing|with)\b"),
        ("something", r"(?:\bnot|n't) something (?:i|we)(?:'m|'d|'ll| can| am| do| want| would| could| will)\b"),
        ("appropriate fair right", r"(?:\bnot|n't) (?:be )?(?:appropriate|fair|right|proper) (?:of|for) me to\b"),
        (
            "i: pass decline skip",
            r"\bi(?:'ll|'d|'m| will| would| must)? (?:(?:going|have|need|like|want) to ){0,2}(?:pass on|decline|skip "
            r"this)\b",
        ),
        ("talk", r"\blet's (?:talk about|discuss) something else\b"),
        (
            "i: opinion opinions sides stance advice preference views",
            r"\bi (?:do not|don't) (?:take|hold|have|give|offer) (?:(?:an?|any|personal|political|legal|medical"
            r"|financial|my) )*"
            r"(?:sides|opinions?|stance|advice|preference|views?)\b",
        ),
    ),
    "as an ai": (
        (
            "ai artificial language assistant",
            rf"\bas (?:{_AI}|an assistant),? [^.!?]{{0,60}}?\bi (?:\w+ )?(?:do not|don't|can't|cannot|am not|lack"
            rf"|have no|won't"
            rf"|will not|should not|shouldn't|must|am unable|try)\b(?! (?:\w+ )?{_LIFELESS})|\bas (?:{_AI}),? i'm "
            rf"(?:not|un)"
            rf"|\bi(?:'m| am) (?:just|only|merely) {_AI}\b"
            rf"|\bi(?:'m| am) {_AI}(?: \w+){{0,2}},? (?:so|and|and so|which means)(?: i)? (?:can't|cannot|don't|do "
            rf"not|may"
            rf"|might|can make|am not|'m not|won't)\b(?! (?:\w+ )?{_LIFELESS})",
        ),
    ),
    "sorry": (
        (
            "sorry apologise apologize apologies",
            r"\b(?:i(?:'m| am) (?:\w+ )?sorry|i apologi[sz]e|(?:^|[.!] )(?:sorry|apologies))"
            r"(?:,? (?:but )?(?:i|we)(?! (?:was|made|got|gave|meant|had|misspoke|misread|missed|mis\w+|should "
            r"have)\b)\b"
            r"|,? but (?:that|this|there|no|my)\b|[.!]*$|, (?:no|nothing|not)\b)",
        ),
    ),
}
"""Refusals and apologies, which assert nothing: counted with the hedges."""
