"""Pieces that several markers are made of, and the one rule for may, might and could. Knows no marker by name."""

from __future__ import annotations

HUNDRED = r"(?:\d+|(?:one|a) hundred) ?(?:%|per ?cent)"
VERY = rf"(?:(?:entirely|completely|totally|quite|very|really|absolutely|fully|so|too|yet|{HUNDRED}) )?"
DO = r"(?:(?:really|just|still|quite|also|personally|only|honestly|mostly|rather|would|do) )?"
WIDELY = r"(?:(?:also|generally|widely|commonly|often|sometimes|traditionally) )?"
I_AM = r"\bi(?:'m| am| was) (?:\w+ )?"
I_WOULD = r"\bi(?:'d| would) (?:\w+ )?"
YOU = r"(?<!\byou are )(?<!\byou're )(?<!\byou are)(?<!\bif )"
"""What "if you are not sure" says is advice."""

CANNOT = r"(?:cannot|can't|can not|could not|couldn't)"
CHECK = r"(?:double[- ]?check|verify|confirm|check)"
TOOL = r"(?:pan|pot|oven|thermometer|knife|skewer|fork|few|minute)"
ANSWER = (
    r"(?= (?:with|against|online|elsewhere|my|another|other|an?|official|some|sources?)\b"
    r"|(?: it| first| that| this)?(?:[.,;!]|[\s.,;!]*$)"
    r"|(?: it| that| this)(?: (?:answer|information|claim|fact|date|figure|name))? "
    r"(?:first|with an?|with other|against|online|up|out|elsewhere|yourself|carefully|in an?)\b"
    r"|(?: the| that| this)(?: (?:answer|information|claim|fact|date|figure|name))\b)"
    rf"(?! (?:an?|some) {TOOL})(?! (?:it )?with an? {TOOL})"
)
"""What is checked where the answer is in doubt: not the oven, nor a variable."""

START = r"(?:^|[.!?;:,(—] )"
IT = r"(?:it|this|that)"
SOMEONE = r"(?:some(?:body|one)|any(?:body|one)|one|a \w+|an \w+)"
DOUBTFUL = (
    r"(?:wrong|mistaken|off|inaccurate|incorrect|right|correct|accurate|true|out of date|outdated|incomplete|complete"
    r"|muddled|confusing|confused|mixing|misremembering|misreading|miscounting|misunderstanding|forgetting|thinking "
    r"of|onto something)"
)
"""What an answer is said to be, and what whoever gives it is said to be doing."""

PARTICIPLE = (
    r"(?:\w{2,}ed|seen|found|made|heard|written|read|built|done|sent|sold|bought|kept|taken|given|told|thrown|drawn"
    r"|held|lost|won|brought|caught|taught|felt|left|paid|put|cut|set|grown|shown|driven|eaten|broken|frozen|stolen"
    r"|worn|torn|hidden|split|spread|shut|spent|bound|born|run)"
)
STATE = (
    rf"(?:{PARTICIPLE}|as|so|too|very|quite|rather|a bit|a little|slightly|up to|able|sore|tight|cold|hot|warm"
    rf"|cool|wet"
    r"|dry|soft|hard|stiff|slow|fast|thick|thin|loose|empty|full|big|small|better|easier|harder|faster|slower|cheaper"
    r"|warmer|colder|longer|shorter|higher|lower|larger|smaller|simpler|safer|later|earlier|worth|wise|necessary|best"
    r"|good|bad|fine|tempting|safe|dangerous|open|late|early|low|high|ill|sick|tired|pregnant|asleep|dead|alive|present"
    r"|absent|difficult|tricky|easy|enough|missing|lacking|raining|snowing|boiling|ready|raw|fatal|null|in season"
    r"|in use"
    r"|in stock|on sale|at risk|\w+(?:ful|ous|able|ible|less))\b"
)
"""What a thing in the world may be while the answer is in no doubt: done to, or in a state."""

NUMBER = (
    r"(?:\d|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|a hundred|a thousand)\b)"
)
NAMED = (
    rf"(?:{NUMBER}|(?-i:(?!None\b|True\b|False\b)[A-Z][\w.])|(?:the|that|this|because|due to|why|what|where|one of"
    rf"|someone|somebody|something"
    rf"|anywhere|somewhere|about|around|closer to|more like|his|her|its|their|it|him|them)\b|{DOUBTFUL}\b)"
)
"""What names an answer: a number, a name, one thing out of many."""

ADVERB = r"(?:(?:also|just|even|still|possibly|potentially|actually|simply|only|conceivably) )?"


JOINS = tuple(rf"\b{word}" for word in ("and", "but", "or", "so", "though", "because", "since", "think", "if"))


def possible(modal: str) -> str:
    """Pattern of `modal` where the answer is in doubt.

    "A rash may appear" and "the nuts may be tight" say what happens in the world. "It may be Lyon", "the winner may be
    Lyon", "this may help" and "he may have left" doubt what is said; so does whatever "I may" do. Known limits: "the
    shop may be shut today" is heard as content, "fines may be 30 euros" as doubt.
    """
    negated = "" if modal == "could" else "(?:not )?"
    it, this, that, opens, there, one, we, i = (
        "|".join(rf"(?<={before}{modal})" for before in befores)
        for befores in (
            (r"\bit ",),
            (r"\bthis ",),
            ("^that ", *(rf"{before} that " for before in (r"[.!?;:,(—]", *JOINS))),
            ("^", r"[.!?;:,(—] "),
            (r"\bthere ",),
            (r"\bone ", r"\bsome ", r"\bothers ", r"\byou "),
            (r"\bwe ",),
            (r"\bi ",),
        )
    )
    first = "be|have" if modal == "could" else r"(?!add\b|say\b|ask\b|as well\b)\w"
    return (
        rf"\b(?-i:{modal}|{modal.upper()}|(?:(?<=^)|(?<=[.!?] )){modal.title()}(?= be\b))(?:"
        + "|".join(
            (
                rf"(?:{it}|{this}|{that}|{opens}) {ADVERB}{negated}be (?!{STATE})",
                rf" {ADVERB}{negated}be (?={NAMED})",
                rf"(?<!s {modal}) {ADVERB}{negated}be an? ",
                rf"(?:{there}) {ADVERB}be (?:other|another|more|exceptions|something|an? (?:better|bug|mistake"
                rf"|error))\b",
                rf"(?<!\byou {modal})(?: also| even| just| already)? {negated}have (?:been|had|\w{{2,}}(?:ed|en|wn"
                rf"|ne|ght)|made"
                r"|got|lost|left|found|come|become|begun|won|said|built|held|run|met|led|read|put|set|cut|kept|sold"
                r"|sent)\b",
                r"'ve\b",
                r" (?:very )?well (?!as\b|known\b)\w",
                rf"(?:{it}|{this}|{that}) {ADVERB}{negated}(?:mean|refer|stand for|explain|turn out)\b",
                rf"(?:{this}|{that}) {ADVERB}{negated}(?:work|help|fix|solve|do)\b",
                rf"(?:{one}) (?:argue|say that|object|disagree)\b",
                rf"(?:{we}) (?:never|not) (?:know|be|learn)\b",
                rf"(?:{i}) {ADVERB}{negated}(?:{first})",
            )
        )
        + ")"
    )


Markers = dict[str, tuple[tuple[str, str], ...]]
