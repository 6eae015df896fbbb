"""Numbers and units in words: "one hundred and fifty" is 150, "1.4 billion" is 1400000000, "21st" is "twenty-first".

Works on casefolded tokens in which digits are already plain. Converts no unit into another: "1 km" and "1000 m" stay
different, and a gold claim that takes both lists both.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation


def words_of(text: str) -> list[str]:
    """The words of a table kept as one line of text."""
    return text.split()


_ONES = words_of("zero one two three four five six seven eight nine")
_TEENS = words_of("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
_TENS = words_of("twenty thirty forty fifty sixty seventy eighty ninety")
SMALL = {word: n for n, word in enumerate(_ONES + _TEENS)} | {word: 10 * n for n, word in enumerate(_TENS, start=2)}
SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_IRREGULAR = {"first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12}
ORDINALS = (
    {word + "th": n for word, n in SMALL.items() if n and word + "th" not in ("oneth", "twoth", "threeth")}
    | {word[:-1] + "ieth": 10 * n for n, word in enumerate(_TENS, start=2)}
    | _IRREGULAR
    | {"hundredth": 100, "thousandth": 1000}
)
ROMAN = {
    numeral: str(n)
    for n, numeral in enumerate(words_of("II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI"), start=2)
    if len(numeral) > 1
}
"""Roman numerals of two letters and more, in capitals ("World War II"); single letters are more often letters."""

_UNIT_WORDS = {
    "km": "km kms kilometer kilometers kilometre kilometres",
    "m": "m meter meters metre metres",
    "cm": "cm centimeter centimeters centimetre centimetres",
    "mm": "mm millimeter millimeters millimetre millimetres",
    "mi": "mi mile miles",
    "ft": "ft foot feet",
    "inch": "inch inches",
    "kg": "kg kgs kilogram kilograms kilogramme kilogrammes",
    "g": "g gram grams gramme grammes",
    "mg": "mg milligram milligrams",
    "lb": "lb lbs pound pounds",
    "l": "l liter liters litre litres",
    "ml": "ml milliliter milliliters millilitre millilitres",
    "s": "s sec secs second seconds",
    "min": "min mins minute minutes",
    "h": "h hr hrs hour hours",
    "celsius": "c celsius centigrade",
    "fahrenheit": "f fahrenheit",
    "kelvin": "k kelvin kelvins",
    "hz": "hz hertz",
}
UNITS = {word: unit for unit, spellings in _UNIT_WORDS.items() for word in spellings.split()}
MONTHS = frozenset(words_of("january february march april may june july august september october november december"))
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_READ = frozenset({*SMALL, *ORDINALS, *UNITS, "a", "minus", "negative"})
"""Words from which a number, an ordinal or a unit may begin; every other word stays as it is."""

_NOT_ONE_BEFORE = frozenset(words_of("no this that which any every each the another some"))
_NOT_ONE_AFTER = frozenset(words_of("of another can must should could might may who whose"))


def canonical_numbers(tokens: list[str]) -> list[str]:
    """`tokens` with number words as digits, ordinals as `<n>th`, and units after a number under one spelling."""
    out: list[str] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token not in _READ and not (token[0].isdigit() or token[0] == "-"):
            out.append(token)
            at += 1
            continue
        if token == "a" and (at + 1 == len(tokens) or tokens[at + 1] not in SCALES):
            out.append(token)
            at += 1
            continue
        ordinal = _ordinal(tokens, at)
        after_number = bool(out) and is_number(out[-1])
        after_rate = len(out) > 1 and out[-1] == "per" and out[-2] in _UNIT_WORDS
        if (after_number or after_rate) and tokens[at] in UNITS:
            out.append(UNITS[tokens[at]])
            at += 1
        elif ordinal:
            rank, at = ordinal
            out.append(str(rank) if out and out[-1] in MONTHS else f"{rank}th")
        else:
            below_zero = tokens[at] in ("minus", "negative") and at + 1 < len(tokens)
            cardinal = _cardinal(tokens, at + below_zero)
            if below_zero and (cardinal or is_number(tokens[at + 1])):
                value, at = cardinal or (tokens[at + 1], at + 2)
                out.append(f"-{value}")
            elif cardinal and not below_zero:
                out.append(cardinal[0])
                at = cardinal[1]
            else:
                out.append(tokens[at])
                at += 1
    return out


def is_number(token: str) -> bool:
    return _NUMBER.fullmatch(token) is not None


def _ordinal(tokens: list[str], at: int) -> tuple[int, int] | None:
    """(value, next index) of the ordinal that starts at `at`: "21st", "first", "twenty first"."""
    token = tokens[at]
    if found := _ORDINAL.fullmatch(token):
        return int(found[1][:30]), at + 1
    if token in _TENS and at + 1 < len(tokens) and ORDINALS.get(tokens[at + 1], 10) < 10:
        return SMALL[token] + ORDINALS[tokens[at + 1]], at + 2
    return (ORDINALS[token], at + 1) if token in ORDINALS else None


def _cardinal(tokens: list[str], at: int) -> tuple[str, int] | None:
    """(digits, next index) of the number that starts at `at`, or None."""
    token = tokens[at]
    nearby = tokens[at + 1] if at + 1 < len(tokens) else ""
    if token == "a" and nearby in SCALES:
        return _scaled(Decimal(1), tokens, at + 1)
    if is_number(token):
        return _scaled(Decimal(token), tokens, at + 1) if nearby in SCALES and len(token) < 30 else None
    if token not in SMALL:
        return None
    before = tokens[at - 1] if at else ""
    if token == "one" and (before in _NOT_ONE_BEFORE or nearby in _NOT_ONE_AFTER):
        return None
    return _from_words(tokens, at)


def _scaled(value: Decimal, tokens: list[str], at: int) -> tuple[str, int]:
    while at < len(tokens) and tokens[at] in SCALES:
        value *= SCALES[tokens[at]]
        at += 1
    return _digits(value), at


def _from_words(tokens: list[str], at: int) -> tuple[str, int]:
    """Reads "three thousand two hundred and five", "nineteen sixty nine" (a year) and "three point one four"."""
    total, current, room = 0, 0, 10**15  # room: what is added next must be smaller ("twenty" leaves room for ones)
    while at < len(tokens):
        token = tokens[at]
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        if token in SMALL and SMALL[token] < room:
            current += SMALL[token]
            room = 10 if SMALL[token] >= 20 else 0
        elif token in SMALL and SMALL[token] >= 10 and not total and 10 <= current <= 99:
            current, room = 100 * current + SMALL[token], 10 if SMALL[token] >= 20 else 0
        elif token == "hundred" and 0 < current < 100:
            current, room = 100 * current, 100
        elif token in SCALES and token != "hundred" and current:
            total, current, room = total + current * SCALES[token], 0, 1000
        elif not (token == "and" and room >= 100 and following in SMALL):
            break
        at += 1
    decimals = ""
    if at + 1 < len(tokens) and tokens[at] == "point" and SMALL.get(tokens[at + 1], 10) < 10:
        at += 1
        while at < len(tokens) and SMALL.get(tokens[at], 10) < 10:
            decimals += str(SMALL[tokens[at]])
            at += 1
    value = Decimal(f"{total + current}.{decimals or 0}")
    return _scaled(value, tokens, at) if decimals else (_digits(value), at)


def _digits(value: Decimal) -> str:
    try:
        return format(value.normalize(), "f")
    except InvalidOperation:
        return str(value)
