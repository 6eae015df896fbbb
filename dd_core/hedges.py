"""The words by which an answer hedges or refuses, and where they stand in a text.

They have a module of their own because a judge scores by them and training rows are written with them. Knows neither,
no question and no fact: whether a doubt is in place it cannot say.
"""

from __future__ import annotations

import re

_HUNDRED = r"(?:\d+|(?:one|a) hundred) ?(?:%|per ?cent)"
_VERY = rf"(?:(?:entirely|completely|totally|quite|very|really|absolutely|fully|so|too|yet|{_HUNDRED}) )?"
_DO = r"(?:(?:really|just|still|quite|also|personally|only|honestly|mostly|rather|would|do) )?"
_WIDELY = r"(?:(?:also|generally|widely|commonly|often|sometimes|traditionally) )?"
_I_AM = r"\bi(?:'m| am| was) (?:\w+ )?"
_I_WOULD = r"\bi(?:'d| would) (?:\w+ )?"
_YOU = r"(?<!\byou are )(?<!\byou're )(?<!\byou are)(?<!\bif )"
"""What "if you are not sure" says is advice."""

_CANNOT = r"(?:cannot|can't|can not|could not|couldn't)"
_CHECK = r"(?:double[- ]?check|verify|confirm|check)"
_TOOL = r"(?:pan|pot|oven|thermometer|knife|skewer|fork|few|minute)"
_ANSWER = (
    r"(?= (?:with|against|online|elsewhere|my|another|other|an?|official|some|sources?)\b"
    r"|(?: it| first| that| this)?(?:[.,;!]|[\s.,;!]*$)"
    r"|(?: it| that| this)(?: (?:answer|information|claim|fact|date|figure|name))? "
    r"(?:first|with an?|with other|against|online|up|out|elsewhere|yourself|carefully|in an?)\b"
    r"|(?: the| that| this)(?: (?:answer|information|claim|fact|date|figure|name))\b)"
    rf"(?! (?:an?|some) {_TOOL})(?! (?:it )?with an? {_TOOL})"
)
"""What is checked where the answer is in doubt: not the oven, nor a variable."""

_END = r"(?!\s*(?:[.,;:!?]|$))"

Markers = dict[str, tuple[tuple[str, str], ...]]

HEDGE_MARKERS: Markers = {
    "not sure": (
        ("sure certain confident", rf"{_YOU}(?:\bnot|n't|\bnever) (?:be )?{_VERY}(?:sure|certain|confident)\b"),
        ("positive convinced", rf"{_I_AM}not {_VERY}(?:positive|convinced)\b"),
        ("not", r"\bnot (?:quite |entirely )?100 ?%(?! of\b)"),
        (
            "clear",
            rf"\b(?:it|that|this)(?:'s not| is not| isn't|'s still not| is still not) {_VERY}clear\b(?! (?:of"
            rf"|if|when)\b)"
            rf"|(?:\bnot|n't) {_VERY}clear (?:wh(?!en)\w+|how)\b",
        ),
        ("unsure uncertain unclear", rf"{_YOU}\b(?:unsure|uncertain|unclear)\b"),
        ("familiar aware", r"\bnot (?:\w+ )?(?:familiar with|aware of)\b"),
        (
            "sure certain certainly confident positive",
            r"\b(?:pretty|fairly|reasonably|relatively|somewhat|moderately|almost|nearly|mostly"
            r"|(?!100)\d+ ?(?:%|per ?cent)) "
            r"(?:sure|certain|certainly|confident|positive)\b|\b(?:less than|far from|not at all) (?:sure|certain)\b",
        ),
        ("sure certain", r"\b(?:not|n't|cannot|nobody|no one) (?:\w+ ){0,3}for (?:sure|certain)\b"),
        ("doubts hesitate", r"\b(?:my|some) doubts\b|\bi hesitate to\b"),
        ("hesitant reluctant", rf"{_I_AM}(?:hesitant|reluctant) to (?:say|claim|commit|name|give|answer)\b"),
        ("confidence", r"\b(?:low|little|limited|moderate|medium|only some) confidence\b"),
        ("uncertainty hesitation", r"\b(?:some|a little|much|with) (?:uncertainty|hesitation)\b"),
        ("expert depth field", r"\b(?:not an|no) expert\b|\bout of my depth\b|\bnot my field\b"),
        (
            "hazy rusty fuzzy vague foggy sketchy",
            rf"(?:{_I_AM}(?:\w+ )?|\b(?:memory|details) (?:is|are) (?:\w+ )?)"
            r"(?:hazy|rusty|fuzzy|vague|foggy|sketchy)\b",
        ),
        (
            "doubt certainty caveat",
            r"\b(?:there(?:'s| is)|with) some doubt\b|\bno claim to certainty\b"
            r"|\bwith (?:the|one|a) caveat\b",
        ),
        ("answer", r"\b(?:no|not have a|n't have a) (?:firm|definite|definitive|sure|certain) answer\b"),
    ),
    "don't know": (
        (
            "know remember recall",
            r"\b(?:i|we) (?:(?:really|honestly|just) )?(?:do not|don't|dont|did not|didn't|can't|cannot|can not) "
            r"(?:(?:really|actually|exactly|quite) )?(?:know|remember|recall)\b",
        ),
        ("forget forgotten forgot", r"\bi(?:'ve| have)? (?:forget|forgotten|forgot)\b"),
        (
            "idea clue",
            r"(?:^|[.!?,;:—] |\bi(?:'ve| have| had)? (?:\w+ )?|\b(?:got|honestly|really"
            r"|sorry) )no (?:\w+ )?(?:idea|clue)\b"
            r"(?! of\b)",
        ),
        (
            "clue idea faintest foggiest",
            r"\bi (?:haven't|have not|don't have|do not have) (?:a|any|the) (?:clue|idea|faintest|foggiest)\b",
        ),
        ("idk dunno", r"\b(?:idk|dunno)\b"),
        (
            "slips escapes blank beats tongue",
            r"\bslips my mind\b|\bescapes me\b|\b(?:drawing|draw) a blank\b|\bbeats me\b|\btip of my tongue\b",
        ),
        ("knows heard mine", r"(?:^|[.!?;] )who knows\b|\bi(?:'ve| have) never heard\b|\bguess is as good as mine\b"),
    ),
    "no information": (
        (
            "information knowledge answer answers data detail details access",
            r"\b(?:i|we) (?:\w+ )?(?:do not have|don't have|lack) (?:\w+ ){0,3}"
            r"(?:information|knowledge|answers?|data|details?|access)\b",
        ),
        ("information context", r"\bnot enough (?:information|context)\b"),
    ),
    "i think": (
        (
            "think believe guess suppose suspect assume imagine reckon gather doubt presume surmise figure",
            rf"\bi {_DO}(?:think|believe|guess|suppose|suspect|assume|imagine|reckon|gather|doubt|presume"
            rf"|surmise|figure)\b"
            r"(?!,? therefore\b| (?:of|in|about)\b)",
        ),
        (
            "think believe suppose",
            r"\bi (?:do not|don't|would not|wouldn't) (?:think|believe|suppose)\b|\blet me think\b",
        ),
        ("daresay dare methinks", r"\bi (?:daresay|dare say)\b|\bmethinks\b"),
        (
            "say guess lean estimate think imagine suppose bet wager venture hazard reckon expect assume "
            "suspect argue incline",
            rf"{_I_WOULD}(?:say|guess|lean|estimate|think|imagine|suppose|bet|wager|venture|hazard|reckon"
            rf"|expect|assume|suspect"
            r"|argue|incline)\b|\bi should (?:think|say|imagine)\b|\bi want to say\b|\bi (?:bet|wager|venture"
            r"|lean|incline)\b",
        ),
        ("said thought guessed", r"\bi(?:'d| would| should) have (?:said|thought|guessed)\b"),
        ("put", rf"{_I_WOULD}put (?:it|that|this) (?:at|around|down|in)\b"),
        (
            "go going plump settle",
            r"\bi(?:'d| would|'ll| will|'m| am) (?:go|going|plump|settle) (?:with|for)\b(?! an?\b)",
        ),
        ("money bet", r"\bmy (?:\w+ )?(?:money|bet)(?: is| would|'s| goes)\b"),
        ("tend inclined tempted leaning", rf"\bi tend to\b|{_I_AM}(?:inclined|tempted|leaning)\b"),
        (
            "feeling hunch impression inkling notion suspicion recollection memory",
            r"\bi(?:'ve| have)(?: got)? (?:a|an|the|some) (?:\w+ )?"
            r"(?:feeling|hunch|impression|inkling|notion|suspicion|recollection|memory)\b(?! (?:of|stick|card)\b)",
        ),
        ("feel expect", r"\bi feel (?:that|like|it|this)\b|\bi expect (?:that|it|so|this)\b"),
        ("take understand strikes", r"\bi take it\b|\bi understand (?:that|it)\b|\bit strikes me\b"),
        (
            "understanding impression hunch recollection inclination suspicion assumption estimate gut",
            r"\bmy (?:\w+ )?(?:understanding|impression|hunch|recollection|inclination|suspicion|assumption"
            r"|estimate|gut)\b"
            r"|\bgut feeling\b|\bunder the impression\b",
        ),
        (
            "belief opinion view sense feeling instinct memory answer",
            r"\bmy (?:\w+ )?(?:belief|opinion|view|sense|feeling|instinct|memory|answer) "
            r"(?:would be|says|tells me|is that|is hazy|is vague|is fuzzy|is foggy)\b",
        ),
        ("speculating speculate", rf"{_I_AM}speculating\b|\bi can only speculate\b"),
        ("thinking", rf"(?:{_I_AM}|\bi keep )thinking\b(?! (?:of|about)\b)"),
        (
            "something",
            r"\bsomething tells me\b|\bor something (?:like that|similar|of the (?:sort|kind)"
            r"|along those lines)\b",
        ),
        ("mind", r"\b(?:comes|springs) to mind\b"),
        ("trust", r"\bi trust (?:that )?(?:it|this|that)(?:'s| is| was)\b"),
        ("belief opinion view", r"\bit(?:'s| is) my (?:belief|opinion|view)\b"),
        (
            "answer guess pick bet",
            r"\bwould be my (?:\w+ )?(?:answer|guess|pick|bet)\b|\bi(?:'d"
            r"| would) (?:answer|pick)\b|\bi(?:'ll| will|'m going to) guess\b",
        ),
    ),
    "guess": (
        ("guess", r"\b(?:my|best|educated|a|wild|rough|anyone's|anybody's) guess\b|\bi can only guess\b"),
        ("had have", r"\b(?:if i (?:had|have)|i would have|i'd have) to (?:guess|say|pick|choose|bet|answer)\b"),
        (
            "guessing",
            r"(?:\b(?:i'm|i am|just|only|but|merely|still) )guessing\b|^guessing[,:]|\bguessing here\b"
            r"|\bguessing[.!]?$",
        ),
        ("pressed pushed", r"\bif (?:pressed|pushed)\b"),
        ("dark offhand hand", r"\b(?:shot|stab) in the dark\b|\boff-?hand\b"),
    ),
    "as far as i know": (
        ("far know best", r"\b(?:as|so) far as (?:i|we)\b|\bfor all i know\b|\bbest i can\b|\bnot that i know\b"),
        (
            "knowledge recollection memory mind understanding recall remember understand",
            r"\bto (?:the best of )?my (?:knowledge|recollection|memory|mind|understanding)\b"
            r"|\bas i (?:recall|remember|understand)\b",
        ),
        (
            "recall remember mistaken serve serves understand",
            r"\bif (?:i|(?:my )?memory) (?:\w+ )?(?:recall|remember|am not mistaken|serves?|understand)\b",
        ),
        ("head", r"\btop of my head\b"),
        (
            "memory",
            r"(?:^|[.!?,;:(—] ?|\b(?:i am|i'm|that is|that's|this is|it is|it's|speaking|quoting|going"
            r"|answering) )from memory\b",
        ),
        (
            "mistaken wrong right correct confusing confused forgetting mixing misremembering misremember "
            "memory recollection",
            r"\b(?:if|unless) i misremember\b|\bif my (?:memory|recollection)\b|\b(?:if|unless) i(?:'m| am|'ve"
            r"| have)(?: got)? (?:\w+ ){0,2}"
            r"(?:mistaken|wrong|right|correct|confusing|confused|forgetting|mixing|misremembering)\b",
        ),
        (
            "opinion view estimation judgment judgement recollection understanding estimate memory",
            r"\bin my (?:\w+ )?(?:opinion|view|estimation|judge?ment|recollection|understanding|estimate|memory)\b",
        ),
        (
            "memory memories recollection idea notion bell",
            r"\b(?:vague|hazy|dim|faint|fuzzy|distant) (?:memory|memories|recollection|idea|notion)\b"
            r"|\brings? a bell\b",
        ),
        (
            "recall remember",
            r"\bi (?:vaguely|dimly|faintly|half|seem to|think i) (?:recall|remember)\b"
            r"|\bi (?:remember|recall) (?:reading|hearing|learning|seeing)\b",
        ),
        (
            "read heard hear told",
            r"\bi(?:'ve| have)? (?:once |also |only )?(?:read|heard) (?:somewhere|that|it|this)\b|\bi hear that\b"
            r"|\bi(?:'m| am|'ve been| have been| was) told\b",
        ),
        ("what worth", r"\bfrom what (?:little )?i\b|\bfor what it(?:'s| is) worth\b"),
        ("so", r"\b(?:or )?so (?:i|they) (?:say|think|believe|hear|gather|recall)\b"),
        ("afaik iirc imo imho fwiw afaict", r"\b(?:afaik|iirc|imo|imho|fwiw|afaict)\b"),
    ),
    "could be wrong": (
        (
            "wrong mistaken off inaccurate incorrect confusing confused mixing",
            r"(?:\b(?:could|might|may)|\bi can) (?:(?:very )?(?:well|easily) )?be "
            r"(?:wrong|mistaken|off|inaccurate|incorrect|confusing|confused|mixing)\b",
        ),
        (
            "wrong mixed confused backwards misremembered",
            r"\bi (?:could|may|might) have (?:\w+ ){0,3}(?:wrong|mixed|confused|backwards|misremembered)\b",
        ),
        (
            "quote hold trust rely",
            r"\b(?:don't|do not|wouldn't|would not) (?:quote|hold|trust|rely on) (?:me|my|this)\b",
        ),
        (
            "word promises gospel certain fact settled",
            r"\b(?:don't|do not|shouldn't|should not|wouldn't|would not) (?:just )?take my word\b|\bno promises\b"
            r"|\b(?:don't|do not) take (?:this|that|it|me) as (?:gospel|certain|fact|settled)\b",
        ),
        (
            "grain pinch dose",
            r"\b(?:this|that|it|taken|what i \w+|my \w+) with a (?:\w+ )?(?:grain|pinch|dose) of "
            r"(?:salt|caution|scepticism|skepticism)\b(?! (?:and|to)\b)",
        ),
        (
            "caution reserve reservation reservations scepticism skepticism tentative provisional",
            r"\b(?:take|treat|read|accept|regard) (?:this|that|it|what i|my \w+)(?: \w+){0,2} (?:with|as) (?:\w+ )?"
            r"(?:caution|reserve|reservations?|scepticism|skepticism|tentative|provisional)\b",
        ),
        (
            "vouch swear promise guarantee attest commit bet stake rule ruled",
            rf"\bi (?:{_CANNOT}|won't|wouldn't|would not) (?:\w+ )?"
            rf"(?:vouch|swear|promise|guarantee|attest|commit|bet|stake|rule out)\b|\b{_CANNOT} be ruled out\b",
        ),
        (
            "correct corrected correction",
            r"\bcorrect me if\b|\bstand (?:to be )?corrected\b|\b(?:subject|open) to correction\b"
            r"|\bhappy to be corrected\b",
        ),
        ("mixing confusing misremembering", rf"{_I_AM}(?:mixing|confusing|misremembering)\b"),
        ("hope", r"\bi hope (?:(?:that|this|it)(?:'s| is) (?:right|correct)|i(?:'ve| have) got)\b"),
    ),
    "probably": (
        (
            "probably perhaps maybe presumably apparently supposedly seemingly conceivably purportedly "
            "reputedly arguably "
            "reportedly allegedly plausibly ostensibly tentative tentatively provisionally",
            r"(?<!\bword )\b(?:probably|perhaps|maybe|presumably|apparently|supposedly|seemingly|conceivably"
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
        ("should", r"\bthat should be (?:right|correct|it)\b"),
    ),
    "thought to": (
        (
            "thought believed said rumoured rumored reputed",
            rf"\b(?:is|are|was|were) {_WIDELY}(?:thought|believed|said|rumou?red|reputed) to\b"
            rf"|\bit(?:'s| is| was) {_WIDELY}(?:thought|believed|said|rumou?red)\b(?! (?:in|until|before)\b)",
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
            r"|\bconflicting (?:sources|accounts|reports|information)\b",
        ),
        ("settled conclusive definitive", rf"\bnot (?:yet )?{_VERY}(?:settled|conclusive|definitive)\b"),
        (
            "disputed debated contested",
            r"\b(?:date|answer|question|matter|point|figure|origin|attribution|authorship|this|that) (?:is"
            r"|remains) (?:\w+ )?"
            r"(?:disputed|debated|contested)\b",
        ),
        ("jury consensus", r"\bjury is (?:still )?out\b|\bno (?:\w+ )?consensus\b"),
    ),
    "might": (
        (
            "might",
            r"(?<!\bthe )(?<!\bhis )(?<!\bher )(?<!\bits )(?<!\btheir )(?<!\bour )(?<!\bmy )(?<!\bwith )(?<!\ball )"
            r"(?<!\band )(?<!\bof )(?<!military )(?<!naval )(?<!economic )(?<!\byou )(?<!\bby )(?<!\bdivine )"
            r"(?<!\broyal )"
            rf"\bmight\b(?! (?:and|of|is|was|in|makes?|as well)\b){_END}|\bmight (?:be|have|not)\b",
        ),
    ),
    "may": (
        (
            "may",
            r"(?<!\byou )(?<!\bas it )(?<!\bcase )(?<!\bplayers )(?<!\bplayer )(?<!\banyone )"
            rf"(?-i:\b(?:may|MAY)\b)(?! (?:\d|and\b|or\b|day\b|as well\b)"
            r"| (?:also )?be (?:used|eaten|frozen|kept|served|stored|added|replaced|cooked|baked|boiled|omitted"
            r"|substituted"
            rf"|reheated|seen|made|left)\b){_END}",
        ),
    ),
    "could be": (
        (
            "could",
            r"(?<!not )(?<!n't )\bcould (?:(?:also|well|possibly|even|potentially|just) )?(?:be|have been)\b"
            r"(?! (?:seen|found|used|made|heard|written|read|built|done|sent|sold|bought|kept|taken|given|told"
            r"|thrown|drawn"
            r"|held|lost|won|brought|caught|taught|felt|left|paid|put|cut|set|grown|shown|driven|eaten|broken"
            r"|\w{3,}ed)\b)"
            r"|\bcould be argued\b|\b(?:it|that|this) could (?:also |well |just )?(?:mean|refer|stand)\b",
        ),
    ),
    "hard to say": (
        (
            "say sure certain pin tell know predict determine",
            r"\b(?:hard|difficult|tough|impossible) (?:for me )?to (?:say|pin down|be (?:sure|certain))\b"
            r"|\b(?:hard|difficult|tough|impossible) (?:for me )?to tell\b(?! (?:apart|the difference)\b"
            r"|[^.,;]{0,30}? from\b)"
            r"|\b(?:hard|difficult|tough) to (?:know|predict|determine)\b",
        ),
        ("way", r"\bno way for me\b|\bi have no way\b"),
    ),
    "check": (
        (
            "check verify confirm doublecheck",
            rf"\b(?:please|should|would|recommend|suggest|want to|best to|better to|sure to"
            rf"|(?<!no )(?<!not )need to|have to|good to|wise to|'d better|\bbetter) "
            rf"(?:also )?{_CHECK}{_ANSWER}|(?:^|[.!?;] |\bso "
            rf"|\bbut ){_CHECK}{_ANSWER}(?! an?\b(?! (?:\w+ )?source)| (?:with|my|some|the)\b)"
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
            "look check verify confirm research",
            r"\bi(?:'d| would|'ll| will)? (?:need|have|want|like) to "
            r"(?:look (?:it|this|that) up|check|verify|confirm|research)\b|\blook (?:it|this|that) up to be\b",
        ),
        (
            "checked verified confirmed checking looking",
            r"\bi(?:'ve| have)?(?:n't| not) (?:checked|verified|confirmed)\b|\bwithout (?:checking"
            r"|looking (?:it|this|that) up)\b",
        ),
    ),
}
"""Name → (cues, pattern) of words by which a speaker takes less than full responsibility for what is said; case is
ignored. One of the cues stands wherever the pattern matches: a pattern is tried only on a text that holds one, because
most texts hold none, and trying every pattern took most of the delivery judge's time.

Approximations ("about 300", "roughly", "usually") are not among them: they are part of what is claimed."""

REFUSAL_MARKERS: Markers = {
    "cannot say": (
        (
            "help assist answer provide say confirm verify comply determine tell give access know predict be do",
            rf"\bi (?:(?:really|honestly|just|simply) )?(?:{_CANNOT}|won't|will not) (?:\w+ )?"
            r"(?:help|assist|answer|provide|say|confirm|verify|comply|determine|tell|give|access|know|predict"
            r"|be|do)\b"
            r"(?! (?:but|feeling)\b)",
        ),
        (
            "help assist answer say confirm verify know sure certain",
            rf"\bwe {_CANNOT} (?:\w+ )?(?:help(?! but)|assist|answer|say|confirm|verify|know|be sure|be certain)\b",
        ),
        ("unable able", r"\b(?:i'm|i am|we're|we are) (?:\w+ )?(?:unable|not able) to\b"),
    ),
    "as an ai": (
        (
            "ai artificial language assistant",
            r"\bas an? (?:ai|artificial intelligence|(?:\w+ )?language model|(?:ai|virtual|digital"
            r"|helpful) assistant)\b"
            r"|\bas an assistant, i\b|\bi(?:'m| am) (?:just |only )?an? (?:ai|(?:large )?language model)\b",
        ),
    ),
    "sorry": (("sorry apologise apologize", r"\bi(?:'m| am) sorry\b|\bi apologi[sz]e\b"),),
}
"""Refusals and apologies, which assert nothing: counted with the hedges."""

_MARKERS = [
    (name, re.compile(pattern, re.IGNORECASE))
    for name, patterns in (HEDGE_MARKERS | REFUSAL_MARKERS).items()
    for _, pattern in patterns
]
_BY_CUE: dict[str, list[int]] = {}
"""Cue → places in `_MARKERS`."""
for _place, _cues in enumerate(c for ps in (HEDGE_MARKERS | REFUSAL_MARKERS).values() for c, _ in ps):
    for _cue in _cues.split():
        _BY_CUE.setdefault(_cue, []).append(_place)

_WORD = re.compile(r"[a-z]+")
_FENCE = re.compile(
    r"(?m)^[ \t>]*(?P<fence>`{3,}|~{3,})(?P<language>[^\n`]*)\n"
    r"(?P<code>(?s:.*?))(?:^[ \t>]*(?P=fence)[`~]*[ \t]*$|\Z)"
)
_PROSE = frozenset({"", "text", "txt", "plaintext", "markdown", "md"})
_QUOTED = re.compile(
    r"\"[^\"\n]{1,300}\"|(?<!`)(?P<ticks>`{1,3})(?![`\s])[^\n]{1,300}?(?<![`\s])(?P=ticks)(?!`)"
    r"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,300}'(?!\w)"
)
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "*": "", "_": " "})


def find_hedges(text: str) -> tuple[str, ...]:
    """Names of the markers by which `text` hedges or refuses, in the order of the tables; () where it asserts.

    Code in a fence and quoted words are not the speaker's and do not count, unless a quotation is the whole answer. A
    text of questions alone ("Is it Paris?") hedges as well, under the name `question`.
    """
    if "```" in text or "~~~" in text:
        text = _FENCE.sub(_uncoded, text)
    plain = " ".join(text.translate(_PLAIN).split())
    if '"' in plain or "`" in plain or "'" in plain:
        unquoted = _QUOTED.sub(" … ", plain)
        if len(re.findall(r"\w+", unquoted)) > 1:
            plain = unquoted
    cues = _BY_CUE.keys() & set(_WORD.findall(plain.lower()))
    places = sorted({place for cue in cues for place in _BY_CUE[cue]})
    found = dict.fromkeys(_MARKERS[place][0] for place in places if _MARKERS[place][1].search(plain))
    if plain.endswith("?") and set(re.findall(r"[.!?](?=[\s\"')]|$)", plain)) == {"?"}:
        found["question"] = None
    return tuple(found)


def _uncoded(fence: re.Match[str]) -> str:
    """What is left of a fenced block: nothing, unless the whole answer is prose in a fence."""
    whole = fence.end() - fence.start() == len(fence.string.strip())
    return fence["code"] if whole and fence["language"].strip().lower() in _PROSE else "\n…\n"
