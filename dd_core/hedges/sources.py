"""What a speaker says of where an answer comes from, and of being wrong."""

from __future__ import annotations

from dd_core.hedges.parts import CANNOT, DOUBTFUL, I_AM, IT, Markers

SOURCES: Markers = {
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
            r"\b(?:if|unless) i (?:\w+ )?misremember\b|\bif my (?:memory|recollection)\b|\b(?:if|unless) i(?:'m| am|'ve"
            r"| have)(?: got)? (?:\w+ ){0,2}"
            r"(?:mistaken|wrong|right|correct|confusing|confused|forgetting|mixing|misremembering)\b",
        ),
        (
            "i: slipped slipping miscounted misread misheard misunderstood missed missing messed botched erred "
            "muddled mucked "
            "overlooked mistake slip error wrong dropped miscalculated skipped",
            r"\b(?:if|unless|assuming|provided|in case|hope) i(?:'ve| have|'m| am| haven't)?(?: not)? (?:\w+ ){0,3}?"
            r"(?:slipp(?:ed|ing)|mis(?:counted|read|heard|understood|s(?:ed|ing)|calculated)|messed|botched|erred"
            r"|muddled"
            r"|mucked|overlooked|skipped|dropped|(?:mistake|slip|error)"
            r"|got(?: \w+){1,4} wrong)\b",
        ),
        (
            "slip slips mistake mistakes error errors miscount arithmetic typo",
            r"\b(?:slips?|mistakes?|errors?|miscount|typo) (?:on|of) my (?:part|own)\b"
            r"|\b(?:barring|give or take|modulo|allowing for|short of) (?:(?:an?|any|some|my|the) )?(?:\w+ )?"
            r"(?:slips?|mistakes?|errors?|miscount|typo|arithmetic)\b",
        ),
        (
            "assuming",
            r"\b(?:always |and )?assuming (?:that )?(?:i(?:'ve| have|'m| am| haven't| remember| read| got| did)"
            r"|my \w+ (?:is|are|holds?|serves?))\b",
        ),
        (
            "my: memory recollection notes sum sums maths math arithmetic source sources reading",
            r"\b(?:if|provided|unless) my (?:\w+ )?(?:memory|recollection|notes|sums?|maths?|arithmetic|sources?"
            r"|reading)\b"
            r"|\baccording to my (?:memory|recollection|notes)\b",
        ),
        (
            "heard checked looked knew saw update training cutoff knowing read last",
            r"\blast (?:time )?i (?:checked|looked|heard|saw|knew|read)\b|\bi last (?:checked|looked|heard|saw|knew"
            r"|read)\b"
            r"|\b(?:as of|since|at) my (?:last |latest )?(?:\w+ )?(?:update|training|cut-?off)\b|\bwithout my "
            r"knowing\b",
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
            "i: recall remember",
            r"\bi (?:vaguely|dimly|faintly|half|seem to|think i) (?:recall|remember)\b"
            r"|\bi (?:remember|recall) (?:reading|hearing|learning|seeing)\b",
        ),
        (
            "i: read heard hear told",
            r"\bi(?:'ve| have)? (?:once |also |only )?(?:read|heard) (?:somewhere|that|it|this)\b|\bi hear that\b"
            r"|\bi(?:'m| am|'ve been| have been| was) told\b",
        ),
        ("what worth", r"\bfrom (?:what|the little) (?:little )?i\b|\bfor what it(?:'s| is) worth\b"),
        (
            "so",
            r"\b(?:or )?so (?:i|they)(?:'ve| have| was| were| am|'m|'d| had)? (?:\w+ )?(?:been )?"
            r"(?:say|think|believe|hear|gather|gathered|recall|told|taught|heard|read|learned|learnt|assume|assumed"
            r"|understand"
            r"|understood|thought|remember|claim)\b"
            r"|\bor so (?:the (?:story|legend) goes|it (?:is|was) said|my \w+ (?:\w+ )?(?:says?|said|told|claims?"
            r"|claimed))\b",
        ),
        (
            "i: how what way all",
            rf"\b{IT}(?:'s| is| was) (?:\w+ ){{0,2}}?(?:how|what|the way) i(?:'ve| have|'d| had| was| always)? "
            rf"?(?:\w+ )?"
            r"(?:have it|got it|picked up|heard|hear|read|taught|told|learned|learnt|remember|remembered|recall"
            r"|understood"
            r"|understand|gathered|gather|seen)\b"
            r"|\ball i (?:really )?know\b",
        ),
        (
            "me: told taught",
            rf"\b{IT}(?:'s| is| was) what (?:[\w']+ ){{1,4}}?(?:told|taught) me\b",
        ),
        (
            "head notes down noted remember",
            r"\b(?:have|had|got|carry|carried) (?:it|that|this|him|her|them) (?:\w+ )?in my (?:head|notes)\b"
            r"|\bi have (?:it|that|this|him|her|them) (?:down|noted)\b|\bi remember (?:it|this|that) as\b",
        ),
        (
            "told taught",
            r"\b(?:someone|somebody|a (?:friend|colleague|neighbour|guide|documentary)|my \w+) (?:\w+ )?(?:told"
            r"|taught) me\b"
            r"|\bi (?:was|were|got|have been) (?:\w+ )?(?:taught|told)\b",
        ),
        (
            "i: places somewhere online quoted cited",
            r"\bi(?:'ve| have)? (?:only |once )?(?:seen|saw|read|found) (?:(?:it|that|this|him|her) )?(?:\w+ )?"
            r"(?:in (?:a few|some|several|one or two) places|somewhere|online|quoted|cited)\b",
        ),
        (
            "read heard seen picked gleaned got",
            r"\bi(?:'ve| have) only (?:ever )?(?:read|heard|seen)\b|\b(?:that|which|what|least) (?:is what )?i(?:'ve"
            r"| have)? "
            r"(?:picked up|gleaned)\b|\bi (?:picked|got) (?:this|that|it) (?:up )?(?:from|off) ",
        ),
        ("who", r"\bwho can (?:say|tell|know)\b"),
        (
            "secondhand second hearsay",
            rf"\b(?:{IT}(?:'s| is)|all|only|just|purely) (?:\w+ )?(?:second[- ]?hand|hearsay)\b",
        ),
        (
            "i: tested tried checked looked verified run measured counted seen done made used",
            r"\bi(?:'ve| have)(?: never| not|n't) (?:(?:actually|really|personally|ever|yet) )?"
            r"(?:tested|tried|checked|looked|verified|run|measured|counted|seen|done|made|used) "
            r"(?:(?:it|this|that|them|one|any)\b|into )|\bi(?:'ve| have)(?: never| not|n't) (?:tested|tried|checked"
            r"|looked)[.,;!]",
        ),
        (
            "untested unverified unchecked unconfirmed",
            r"(?:^|\(|[.:,;] |\bis |\b'?s )(?:\w+ )?(?:untested|unverified|unchecked|unconfirmed)(?=[.,;:!)]|$| but)",
        ),
        ("believed", r"\bif (?:[\w']+ ){1,4}(?:is|are) to be believed\b"),
        ("afaik iirc imo imho fwiw afaict", r"\b(?:afaik|iirc|imo|imho|fwiw|afaict)\b"),
    ),
    "could be wrong": (
        (
            "may might could",
            rf"\b(?:could|might|may) (?:(?:very )?(?:well|easily) )?be {DOUBTFUL}\b"
            rf"|\b(?:might|may) not (?:\w+ )?be (?:\w+ )?{DOUBTFUL}\b(?! of\b)",
        ),
        (
            "i: i: can",
            rf"\bi can (?:(?:very )?(?:well|easily) )?be {DOUBTFUL}\b",
        ),
        (
            "i: wrong mixed confused backwards misremembered",
            r"\bi (?:could|may|might) have (?:\w+ ){0,3}(?:wrong|mixed|confused|backwards|misremembered)\b",
        ),
        (
            "quote hold trust rely bank count money swear lean",
            r"\b(?:don't|do not|wouldn't|would not) (?:quote|hold|trust|rely on|bank on|count on|put money on|swear to"
            r"|swear by|lean on) (?:me|my|this|that|it)\b",
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
            rf"\bi (?:{CANNOT}|won't|wouldn't|would not) (?:\w+ )?"
            rf"(?:vouch|swear|promise|guarantee|attest|commit|bet|stake|rule out)\b|\b{CANNOT} be ruled out\b"
            rf"|\b{CANNOT} (?:\w+ )?(?:vouch for|swear to (?:it|that|this))\b",
        ),
        (
            "correct corrected correction confirmation verification checking",
            r"\bcorrect me\b|\bstand (?:to be )?corrected\b"
            r"|\b(?:subject|open) to (?:correction|confirmation|verification|checking)\b"
            r"|\bhappy to be corrected\b",
        ),
        ("i: mixing confusing misremembering", rf"{I_AM}(?:mixing|confusing|misremembering)\b"),
        (
            "hope hopefully fingers",
            r"\b(?:i hope|hopefully) (?:(?:that|this|it)(?:'s| is) (?:right|correct)|i(?:'ve| have) got)\b"
            r"|\bfingers crossed\b",
        ),
        (
            "accordingly starting guide hint rumour rumor guess suggestion approximation hypothesis ballpark "
            "approximate "
            "unverified indicative",
            r"\b(?:treat|take|use|regard|consider|see|read) (?:it|this|that|these|those|them|what i \w+|(?:my|the) \w+)"
            r"(?: (?:accordingly\b| ?(?:\w+ ){0,2}?(?:as )?(?:just |only |merely |more )?(?:as )?an? (?:\w+ )?"
            r"(?:starting point|guide|hint|rumou?r|guess|suggestion|approximation|hypothesis|ballpark)\b"
            r"|as (?:\w+ )?(?:approximate|unverified|indicative)\b))",
        ),
        ("another", r"\bwhether [^.!?]{1,80} is (?:quite )?another (?:matter|question|story)\b"),
        ("mileage ymmv", r"\bmileage may vary\b|\bymmv\b"),
        ("face risk", r"\b(?:don't|do not) take (?:this|that|it|my) (?:\w+ )?at face value\b"),
    ),
}
