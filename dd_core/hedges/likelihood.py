"""What a speaker says of how likely, how settled and how checked an answer is."""

from __future__ import annotations

from dd_core.hedges.parts import ANSWER, CHECK, SOMEONE, VERY, WIDELY, Markers, possible

LIKELIHOOD: Markers = {
    "probably": (
        (
            "probably prolly probly probs perhaps maybe mabye mayb mebbe presumably apparently supposedly seemingly "
            "conceivably purportedly "
            "reputedly arguably "
            "reportedly allegedly plausibly ostensibly tentative tentatively provisionally",
            r"(?<!\bword )\b(?:probably|prolly|probly|probs|perhaps|maybe|mabye|mayb|mebbe|presumably|apparently"
            r"|supposedly|seemingly|conceivably"
            r"|purportedly|reputedly"
            r"|arguably|reportedly|allegedly|plausibly|ostensibly|tentatively|provisionally)\b"
            r"|\btentative (?:answer|guess|conclusion)\b",
        ),
        ("possibly", r"(?<!\bcannot )(?<!n't )(?<!\bnot )\bpossibly\b"),
        (
            "likelihood probability chances odds",
            r"\bin all (?:likelihood|probability)\b|\b(?:chances|odds) are(?= (?:it|that|he|she|they|the|this"
            r"|you|good|high)\b|,)",
        ),
    ),
    "likely": (
        (
            "likely unlikely",
            r"(?<!\bmore )(?<!\bless )(?<!\bequally )(?<!\bas )(?<!\bhow )\b(?:un)?likely\b(?! event\b)",
        ),
        ("likely", r"\bmore likely than not\b"),
    ),
    "possible": (
        (
            "possible conceivable",
            r"\bit(?:'s| is) (?:(?:also|quite|very|entirely|just|at least) )?(?:possible|conceivable) (?:that"
            r"|it|he|she|they)\b",
        ),
        (
            "chance possibility likelihood",
            r"\bthere(?:'s| is) (?:a|some|every) (?:\w+ )?(?:chance|possibility|likelihood)\b",
        ),
        (
            "plausible probable impossible inconceivable toss",
            r"\b(?:plausible|probable) (?:answer|candidate)\b|\btoss-up\b|\bit(?:'s| is) plausible\b|\bit(?:'s"
            r"| is) not (?:impossible|inconceivable) that\b",
        ),
    ),
    "seems": (
        (
            "seems seem appears appear",
            r"\b(?:it|this|that) (?:seems|appears)\b(?! (?:in|on|at|as)\b)|\bseems? (?:to|likely|plausible"
            r"|right|correct)\b"
            r"|\bappears to (?:be|have)\b|\bwould (?:seem|appear)\b",
        ),
        ("looks sounds", r"\bit looks (?:as if|as though|to me)\b|\bit sounds like\b|\bsounds (?:about )?right\b"),
        ("suggests", r"\bevidence suggests\b"),
        ("should ought", r"\b(?:that|this|it) (?:should|ought to) be (?:about )?(?:right|correct|it)\b"),
        ("sounds sound feels looks", r"\b(?:sounds?|feels?|looks?) (?:about )?(?:right|correct|plausible) to me\b"),
    ),
    "thought to": (
        (
            "thought believed said rumoured rumored reputed",
            rf"\b(?:is|are|was|were) {WIDELY}(?:thought|believed|said|rumou?red|reputed) to\b"
            rf"|\bit(?:'s| is| was) {WIDELY}(?:thought|believed|said|rumou?red)\b(?! (?:in|until|before)\b)",
        ),
        ("assumed", r"\bit(?:'s| is) (?:widely|generally|commonly|often) assumed\b"),
        ("rumour rumor accounts", r"\brumou?r has it\b|\bby (?:most|all|some) accounts\b"),
        (
            "sources accounts reports some",
            r"\bsome (?:sources|accounts|reports) (?:say|suggest|claim|give|put|have|state|name)\b"
            r"|\baccording to some\b",
        ),
    ),
    "disputed": (
        (
            "debatable debate question interpretation doubtful",
            r"\bdebatable\b|\b(?:open to|up for|a matter of) (?:debate|question|interpretation)\b|\bit(?:'s"
            r"| is) doubtful\b",
        ),
        (
            "sources accounts opinions reports historians scholars experts authorities",
            r"\b(?:sources|accounts|opinions|reports|historians|scholars|experts|authorities) "
            r"(?:\w+ )?(?:differ|disagree|conflict|vary|diverge|are divided)\b"
            r"(?! (?:over|about|as to|whether|why|how|who|on (?!this\b|that\b|it\b))(?![^.!?]*(?:, but|;)))"
            r"|\bconflicting (?:sources|accounts|reports|information)\b",
        ),
        ("settled conclusive definitive", rf"\bnot (?:yet )?{VERY}(?:settled|conclusive|definitive)\b"),
        (
            "disputed debated contested",
            r"\b(?:date|answer|question|matter|point|figure|origin|attribution|authorship|this|that) (?:is"
            r"|remains) (?:\w+ )?"
            r"(?:disputed|debated|contested)\b",
        ),
        ("jury consensus", r"\bjury is (?:still )?out\b|\bno (?:\w+ )?consensus\b"),
    ),
    "might": (("might", possible("might")),),
    "may": (("may", possible("may")),),
    "could be": (("could", possible("could") + r"|\bcould be argued\b"),),
    "hard to say": (
        (
            "hard difficult tough impossible",
            r"\b(?:hard|difficult|tough|impossible) (?:for me )?to (?:say|pin down|be (?:sure|certain))\b"
            r"|\b(?:hard|difficult|tough|impossible) (?:for me )?to tell\b(?! (?:apart|the difference)\b"
            r"|[^.,;]{0,30}? from\b)"
            r"|\b(?:hard|difficult|tough) to (?:know|predict|determine)\b",
        ),
        ("way", r"\bno way for me\b|\bi have no way\b"),
    ),
    "or was it": (
        (
            "or",
            r"\bor (?:was|is|were|are|wasn't|isn't|did|does|has|had|should) (?:it|that|he|she|they|there"
            r"|the)\b[^.!;?]{0,80}\?",
        ),
        (
            "two them those",
            r"\bone of (?:those|the|these) two[.!]*$|\b(?:it's|its|it is|it was|was) one of (?:them|those)\b",
        ),
        (
            "right no isn wasn weren aren doesn didn correct yeah",
            r", (?<!\bsimple, )(?<!\beasy, )(?<!\bnice, )(?<!\bneat, )(?<!\bcool, )(?<!\bsense, )(?:right|no|correct"
            r"|yeah"
            r"|(?:is|was|were|are|does|did)n't (?:it|he|she|they|that))\?",
        ),
    ),
    "check": (
        (
            "check verify confirm doublecheck",
            rf"\b(?:please|should|would|recommend|suggest|want to|best to|better to|sure to"
            rf"|(?<!no )(?<!not )need to|have to|good to|wise to|'d better|\bbetter) "
            rf"(?:also )?{CHECK}{ANSWER}|(?:^|[.!?;] |\bso "
            rf"|\bbut ){CHECK}{ANSWER}(?! an?\b(?! (?:\w+ )?source)| (?:with|my|some|the)\b)"
            r"|\bdouble[- ]?check\b",
        ),
        (
            "checking verifying confirming verification confirmation looking check",
            r"\b(?:recommend|suggest|worth|needs?) (?:a )?"
            r"(?:(?:double[- ]?)?checking|verifying|confirming|verification|confirmation|looking up|check)\b"
            r"(?! every\b)(?! the\b(?! (?:answer|fact|date|figure|claim|name|spelling|detail)))",
        ),
        ("source sources", r"\b(?:consult|check|see|ask) (?:an?|another|other) (?:\w+ )?sources?\b"),
        (
            "look check verify confirm research google",
            r"\bi(?:'d| would|'ll| will)? (?:need|have|want|like) to "
            r"(?:look (?:it|this|that) up|check|verify|confirm|research|google)\b"
            r"|\blook (?:it|this|that) up (?:to be|before|first|though|anyway|yourself|somewhere)\b"
            r"|\bgoogle (?:it|this|that)\b|\bgive (?:it|this|that) an? (?:quick )?(?:google|check)\b",
        ),
        (
            "checked verified confirmed checking looking",
            r"\bi(?:'ve| have)?(?:n't| not) (?:checked|verified|confirmed)\b|\bwithout (?:checking"
            r"|looking (?:it|this|that) up)\b",
        ),
        (
            "someone somebody native expert professional second speaker who",
            rf"\b(?:have|get|let|ask) (?:some(?:body|one)|an? (?:native|expert|professional|second|\w+ speaker)) "
            rf"(?:else |qualified |speaker |who \w+ |with \w+ )?(?:to )?(?:\w+ )?"
            rf"(?:look|check|go over|verify|confirm|review)\b"
            rf"|\bsome(?:body|one) (?:else|who knows|with more \w+) (?:ought to|should|had better|needs to) "
            rf"(?:\w+ )?(?:look|check|go over|read|verify|confirm|review)\b"
            rf"|\b(?:ask|find|consult|talk to|speak to) {SOMEONE} who (?:is\b|knows|does|actually|really|can)"
            rf"|\bask (?:someone|somebody) (?:else|with|in)\b",
        ),
        (
            "better best",
            r"\byou(?:'d| would| are|'re| will|'ll) (?:\w+ )?(?:be )?better off (?:asking|talking|speaking"
            r"|consulting|checking)\b"
            r"|\bbetter ask\b|\bbest (?:to )?(?:ask|consult)\b|\bknows? better than (?:i|me)\b|\bwould know better\b",
        ),
        ("opinion eyes", r"\b(?:get|getting|seek|want|ask for|worth|need) a second (?:opinion|pair of eyes)\b"),
        (
            "test try trust trusting rely relying believe believing quote quoting word",
            r"\b(?:test|try) (?:it|this|that|them) (?:\w+ )?(?:on|in|with) (?:a|an|something) (?:small|scratch"
            r"|throwaway|spare|copy|test|dummy)\b"
            r"|\bbefore you take my word\b|\bbefore (?:you |anyone )?(?:trust|rely|believ|quot)(?:e|ing)?(?: on)? "
            r"(?:me|it|this|that|my|any|what)\b",
        ),
    ),
}
