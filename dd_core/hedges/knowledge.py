"""What a speaker says of not knowing, thinking and guessing."""

from __future__ import annotations

from dd_core.hedges.parts import DO, I_AM, I_WOULD, VERY, YOU, Markers

KNOWLEDGE: Markers = {
    "not sure": (
        ("sure certain confident", rf"{YOU}(?:\bnot|n't|\bnever) (?:be |been )?{VERY}(?:sure|certain|confident)\b"),
        ("i: positive convinced", rf"{I_AM}not {VERY}(?:positive|convinced)\b"),
        ("not", r"\bnot (?:quite |entirely )?100 ?%(?! of\b)"),
        (
            "clear",
            rf"\b(?:it|that|this)(?:'s not| is not| isn't|'s still not| is still not) {VERY}clear\b(?! (?:of"
            rf"|if|when)\b)"
            rf"|(?:\bnot|n't) {VERY}clear (?:wh(?!en)\w+|how)\b",
        ),
        ("unsure uncertain unclear", rf"{YOU}\b(?:unsure|uncertain|unclear)\b"),
        ("familiar aware", r"\bnot (?:\w+ )?(?:familiar with|aware of)\b"),
        (
            "sure certain certainly confident positive",
            r"\b(?:pretty|fairly|reasonably|relatively|somewhat|moderately|almost|nearly|mostly"
            r"|(?!100)\d+ ?(?:%|per ?cent)) "
            r"(?:sure|certain|certainly|confident|positive)\b|\b(?:less than|far from|not at all) (?:sure|certain)\b",
        ),
        ("sure certain", r"\b(?:not|n't|cannot|nobody|no one) (?:\w+ ){0,3}for (?:sure|certain)\b"),
        ("doubts hesitate", r"\b(?:my|some) doubts\b|\bi hesitate to\b"),
        ("i: hesitant reluctant", rf"{I_AM}(?:hesitant|reluctant) to (?:say|claim|commit|name|give|answer)\b"),
        ("confidence", r"\b(?:low|little|limited|moderate|medium|only some) confidence\b"),
        ("uncertainty hesitation", r"\b(?:some|a little|much|with) (?:uncertainty|hesitation)\b"),
        (
            "percent cent",
            r"\b(?!hundred)(?:\w+ty|\w+ty[- ]\w+) per ?cent (?:sure|certain|confident|there)\b",
        ),
        (
            "confidence certainty",
            r"\b(?:confidence|certainty)(?: level)?(?: is|:| =|,| at)? ?(?:only |about |around |very |rather |quite "
            r"|fairly )*"
            r"(?:low|medium|moderate|middling|modest|limited|shaky|poor|so-so|(?!100)\d+ ?(?:%|per ?cent))(?!\w)",
        ),
        ("coin toss", r"\b(?:it(?:'s| is)|that(?:'s| is)|call it) (?:\w+ )?a (?:coin[- ](?:flip|toss)|toss[- ]up)\b"),
        (
            "i: doubt doubts",
            r"\bi(?:'ve| have)(?: got)? (?:(?:a|my|some|one|grave|serious|nagging|lingering|small) )+doubts?\b",
        ),
        (
            "i: doubting wondering hoping torn fence minds second",
            rf"{I_AM}(?:doubting|wondering|second-guessing|hoping (?:i|that i|that's|it's)|torn (?:between|on|over"
            rf"|about)\b"
            r"|on the fence|(?:in|of) two minds)",
        ),
        ("ask mention", r"\bnow that you (?:ask|mention it|say it|say that),? (?:i|no|not|hmm)\b"),
        ("um umm uh erm", r"(?:^|[,.;] )(?:um+|uh+|erm+)(?=[ ,.…])"),
        (
            "caveat disclaimer",
            r"(?:^|[.!?;(] ?)(?:(?:one|big|small|the|usual|my) ){0,2}(?:caveat|disclaimer)[:,.]",
        ),
        (
            "hazy rusty fuzzy vague foggy sketchy",
            rf"(?:{I_AM}(?:\w+ )?|\b(?:memory|details) (?:is|are) (?:\w+ )?)"
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
        ("i: forget forgotten forgot", r"\bi(?:'ve| have)? (?:forget|forgotten|forgot)\b"),
        (
            "idea clue",
            r"(?:^|[.!?,;:—] |\bi(?:'ve| have| had)? (?:\w+ )?|\b(?:got|honestly|really"
            r"|sorry) )no (?:\w+ )?(?:idea|clue)\b"
            r"(?! of\b)",
        ),
        (
            "i: clue idea faintest foggiest",
            r"\bi (?:haven't|have not|don't have|do not have) (?:a|any|the) (?:clue|idea|faintest|foggiest)\b",
        ),
        ("idk dunno idek", r"\b(?:idk|dunno|idek)\b"),
        (
            "foggiest faintest slightest clue notion",
            r"\b(?:not|haven't|have not) (?:the|a|got a|got the) (?:foggiest|faintest|slightest|clue|notion)\b(?! bit)",
        ),
        (
            "search pass comment another",
            r"(?:^|[.!?;] )(?:search me|pass|no comment|ask me another)(?=[.,;!]|$)",
        ),
        (
            "knows stumped stumps got loss beyond hanged damned",
            rf"\bstump(?:ed|s) me\b|{I_AM}stumped\b"
            r"|\b(?:god|goodness|heaven|lord) (?:only )?knows\b|\byou(?:'ve| have)? got me(?: there)?(?=[.,;!]|$)"
            rf"|{I_AM}at a loss\b|\b(?:it|that|that one|this|this one)(?:'s| is) beyond me\b|\b(?:hanged|damned) if "
            rf"i know\b",
        ),
        (
            "remember recall know",
            r"(?:^|[.!?;,] )(?:can't|cannot|couldn't|don't|didn't) (?:\w+ )?(?:remember|recall|know)\b(?! (?:that|if"
            r"|to)\b)",
        ),
        ("i: wish", r"\bi wish i (?:could|knew)\b"),
        (
            "slips escapes blank beats tongue",
            r"\bslips my mind\b|\bescapes me\b|\b(?:drawing|draw) a blank\b|\bbeats me\b|\btip of my tongue\b",
        ),
        ("knows heard mine", r"(?:^|[.!?;] )who knows\b|\bi(?:'ve| have) never heard\b|\bguess is as good as mine\b"),
    ),
    "not my field": (
        ("expert depth field", r"\b(?:not an|no|hardly an) expert\b|\bout of my depth\b|\bnot my field\b"),
        (
            "i: no not hardly far",
            rf"{I_AM}?(?:no|not an?|not much of an?|hardly an?|far from an?|by no means an?) (?:\w+ ){{0,2}}?"
            r"(?!longer\b|stranger|user\b|computer|monster|lover|believer|smoker|drinker|member|murderer|either|other"
            r"|former|matter|under|over|ever|never|number|better|doer|answer)"
            r"(?:\w{2,}(?:er|or|ist|ian|grapher|wright)|expert|specialist|native|pro|professional|chef|cook|vet"
            r"|nurse|buff"
            r"|scholar|authority|whiz|genius|guru|geek|hand at)\b",
        ),
        (
            "suit point forte thing area field speciality specialty subject department strength line domain expertise",
            r"(?:\bnot|n't|\bnever|\bnever been|\boutside|\bbeyond|\bnever was) (?:\w+ )?(?:of )?(?:my|our) "
            r"(?:(?:strong|strongest|best|real) )?"
            r"(?:suit|point|forte|thing|area|field|speciali?ty|subject|department|strength|line|domain|expertise)\b",
        ),
        (
            "wheelhouse remit competence grade",
            r"\b(?:outside|beyond|not in|above) my (?:wheelhouse|remit|competence|pay grade)\b",
        ),
        (
            "my: sieve shaky patchy poor limited bad terrible awful weak great good thin basic unreliable ropey "
            "sketchy "
            "dated best",
            r"\bmy (?:own )?(?:memory|grasp|knowledge|recall|history|geography|maths?|arithmetic|sums|latin|french"
            r"|german"
            r"|spanish|chemistry|physics|biology|grammar|spelling|head|understanding)\b[^.;!?,]{0,40}?"
            r"(?:\bis|\bare|'s|\bisn't|\baren't|\bwas) (?:\w+ ){0,3}?(?:sieve|shaky|patchy|poor|limited|bad|terrible"
            r"|awful"
            r"|weak|thin|basic|unreliable|ropey|sketchy|dated|(?<=n't )(?:\w+ )?(?:great|good|the best)"
            r"|(?<=not )(?:\w+ )?(?:great|good|the best))\b",
        ),
        (
            "i: bad terrible hopeless useless awful rubbish poor good great",
            rf"{I_AM}?(?:bad|terrible|hopeless|useless|awful|rubbish|poor|not (?:\w+ )?(?:good|great)) (?:at|with) ",
        ),
        (
            "i: mix confuse muddle forget get mixing confusing",
            r"\bi (?:always|often|sometimes|constantly|usually|forever|regularly|keep|can never|never) "
            r"(?:mix(?:ing)?|confus(?:e|ing)|muddle|forget|get (?:\w+ ){1,4}?(?:wrong|confused|mixed|muddled"
            r"|backwards|right))\b",
        ),
        (
            "i: qualified competent",
            rf"{I_AM}(?:not|un|hardly|scarcely) ?(?:really |at all )?(?:qualified|competent)\b",
        ),
        (
            "i: little nothing",
            r"\bi know (?:(?:very|next to|almost|too|precious|rather|practically) )?(?:little|nothing) (?:about|of)\b",
        ),
        ("wrong", r"\bi(?:'ve| have) been (?:\w+ )?wrong (?:\w+ ){0,5}?before\b|\bcan (?:be|go) wrong about th"),
        ("mistakes errors", r"\b(?:i|and|but|it) (?:can|do|sometimes|often) (?:\w+ )?make (?:mistakes|errors)\b"),
        ("been since", r"\b(?:been|is) (?:\w+ )?(?:while|long time|years|ages|decades)(?: \w+)? since (?:i|my)\b"),
    ),
    "no information": (
        (
            "information knowledge answer answers data detail details access",
            r"\b(?:i|we) (?:\w+ )?(?:do not have|don't have|lack) (?:\w+ ){0,3}"
            r"(?:information|knowledge|answers?|data|details?|access)\b",
        ),
        (
            "i: information data knowledge detail details record records opinion view views answer means preference "
            "memory "
            "recollection access",
            r"\bi(?:'ve| have| had)?(?: got)? no (?:\w+ ){0,2}?(?:information|data|knowledge|details?|records?"
            r"|opinion|views?"
            r"|answer|means|preference|memory|recollection|access)\b",
        ),
        (
            "attachment image file photo picture document link screenshot attached text message code",
            r"\b(?:i (?:don't|do not|can't|cannot) (?:see|find|open)|i (?:see|got|received|have)) "
            r"(?:no|any|an|the|your|a) (?:\w+ )?(?:attachment|image|file|photo|picture|document|link|screenshot|text"
            r"|message"
            r"|code)\b(?! (?:that|which)\b)|\bthere(?:'s| is| was) no \w+ (?:attached|(?:in|with|to) your)\b"
            r"|\bnothing (?:is|was|seems|appears|has been)(?: to be)? attached\b",
        ),
        (
            "attach come upload",
            r"\b(?:didn't|did not|doesn't|hasn't|haven't) (?:seem to |appear to )?(?:attach|come through|come across"
            r"|upload)"
            r"(?=[.,;!]| (?:on my|here|for me|to me)\b|$)",
        ),
        (
            "you: attach attached paste pasted include included tell told say said give given mention mentioned",
            r"\byou (?:haven't|have not|didn't|did not|forgot to) "
            r"(?:attached?|pasted?|included?|tell|told|say|said|give|given|mention(?:ed)?) (?:me|us|what|which|how"
            r"|where|whether|when"
            r"|who|your|the|any|an?|it|one)\b",
        ),
        (
            "i: need",
            r"\bi(?:'d| would|'ll| will)? need (?:to (?:know|see|hear)|more|a (?:bit|little) more|you to|some more"
            r"|the (?:rest|full|whole|exact))\b",
        ),
        (
            "without",
            r"\bwithout (?:(?:having )?see(?:ing|n) (?:it|the|your|this|that|any|more|what)"
            r"|(?:more|further) (?:information|context|details?)|knowing (?:more|your|which)\b[^.!?;]{0,60}?\bi)\b",
        ),
        (
            "mean",
            r"\b(?:what|which|who) (?:\w+ ){0,2}?(?:do|did|are) you (?:mean|talking|referring|asking)\b[^.!]{0,30}\?",
        ),
        ("information context", r"\bnot enough (?:information|context)\b"),
    ),
    "i think": (
        (
            "i: think thnk fink believe guess suppose suspect assume imagine reckon gather doubt presume surmise "
            "figure",
            rf"\bi {DO}(?:think|thnk|fink|believe|guess|suppose|suspect|assume|imagine|reckon|gather|doubt|presume"
            rf"|surmise|figure)\b"
            r"(?!,? therefore\b| (?:of|in|about)\b)",
        ),
        (
            "think believe suppose",
            r"\bi (?:do not|don't|would not|wouldn't) (?:think|believe|suppose)\b|\blet me think\b",
        ),
        (
            "assume assumes imagine imagines suppose supposes think thinks guess presume presumes expect gather "
            "gathers "
            "suspect suspects",
            r"(?:^|[.!?;,(—] |\b(?:but|and|so) )one (?:(?:would|might|could|may|must|can only) (?:\w+ )?"
            r"(?:assume|imagine|suppose|think|guess|presume|expect|gather|suspect)"
            r"|(?:assumes|imagines|supposes|presumes|gathers|suspects))\b",
        ),
        (
            "inferring extrapolating assuming presuming supposing deducing estimating betting gambling spitballing "
            "winging improvising piecing fly cuff hip envelope going working",
            rf"{I_AM}(?:inferring|extrapolating|assuming|presuming|supposing|deducing|estimating|betting|gambling"
            rf"|spitballing"
            rf"|winging|improvising|piecing|going (?:by|on|off) )|{I_AM}[^.!?;]{{0,40}}on the fly\b|\boff the cuff\b"
            r"|\bback[- ]of[- ](?:the|an|my)[- ]envelope\b",
        ),
        (
            "speculation conjecture guesswork supposition theory",
            r"\b(?:pure|mere|just|only|my|sheer|idle) (?:own )?(?:speculation|conjecture|guesswork|supposition"
            r"|theory)\b",
        ),
        ("ear ears eye eyes", r"\bto my (?:\w+ )?(?:ears?|eyes?)\b"),
        ("daresay dare methinks", r"\bi (?:daresay|dare say)\b|\bmethinks\b"),
        (
            "i: say guess lean estimate think imagine suppose bet wager venture hazard reckon expect assume "
            "suspect argue incline",
            rf"{I_WOULD}(?:say|guess|lean|estimate|think|imagine|suppose|bet|wager|venture|hazard|reckon"
            rf"|expect|assume|suspect"
            r"|argue|incline)\b|\bi should (?:think|say|imagine)\b|\bi want to say\b|\bi (?:bet|wager|venture"
            r"|lean|incline)\b",
        ),
        ("i: said thought guessed", r"\bi(?:'d| would| should) have (?:said|thought|guessed)\b"),
        ("i: put", rf"{I_WOULD}put (?:it|that|this) (?:at|around|down|in)\b"),
        (
            "i: go going plump settle",
            r"\bi(?:'d| would|'ll| will|'m| am) (?:go|going|plump|settle) (?:with|for)\b(?! an?\b)",
        ),
        ("my: money bet", r"\bmy (?:\w+ )?(?:money|bet)(?: is| would|'s| goes)\b"),
        ("i: tend inclined tempted leaning", rf"\bi tend to\b|{I_AM}(?:inclined|tempted|leaning)\b"),
        (
            "i: feeling hunch impression inkling notion suspicion recollection memory",
            r"\bi(?:'ve| have)(?: got)? (?:a|an|the|some) (?:\w+ )?"
            r"(?:feeling|hunch|impression|inkling|notion|suspicion|recollection|memory)\b(?! (?:of|stick|card)\b)",
        ),
        ("i: feel expect", r"\bi feel (?:that|like|it|this)\b|\bi expect (?:that|it|so|this)\b"),
        ("take understand strikes", r"\bi take it\b|\bi understand (?:that|it)\b|\bit strikes me\b"),
        (
            "understanding impression hunch recollection inclination suspicion assumption estimate gut",
            r"\bmy (?:\w+ )?(?:understanding|impression|hunch|recollection|inclination|suspicion|assumption"
            r"|estimate|gut)\b"
            r"|\bgut feeling\b|\bunder the impression\b",
        ),
        (
            "my: belief opinion view sense feeling instinct memory answer",
            r"\bmy (?:\w+ )?(?:belief|opinion|view|sense|feeling|instinct|memory|answer) "
            r"(?:would be|says|tells me|is that|is hazy|is vague|is fuzzy|is foggy)\b",
        ),
        ("i: speculating speculate", rf"{I_AM}speculating\b|\bi can only speculate\b"),
        ("thinking", rf"(?:{I_AM}|\bi keep )thinking\b(?! (?:of|about)\b)"),
        (
            "something",
            r"\bsomething tells me\b|\bor something (?:like that|similar|of the (?:sort|kind)"
            r"|along those lines)\b",
        ),
        ("mind", r"\b(?:comes|springs) to mind\b"),
        ("i: trust", r"\bi trust (?:that )?(?:it|this|that)(?:'s| is| was)\b"),
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
}
