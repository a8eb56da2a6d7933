"""Selection expressions: which codes of a variable somebody means.

Invariant: an exact code wins over an expression; what matches nothing is refused; the answer is in the order of the
variable, each code once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chassis.problems import Problem

_CALL = re.compile(r"(?P<name>range|from|to|top|bottom)\((?P<given>[^()]*)\)", re.IGNORECASE)
MOST_EXPRESSIONS = 100
"""Of one variable, codes not counted: each one looks at all codes, while everybody waits."""
_NUMBER = re.compile(r"0*[0-9]{1,6}")


def split(text: str) -> list[str]:
    """A list by its commas; those within brackets belong to what is within. Blanks around are nothing."""
    parts, depth, begun = [], 0, 0
    for at, sign in enumerate(text):
        if sign in "([":
            depth += 1
        elif sign in ")]":
            depth = max(0, depth - 1)
        elif sign == "," and depth == 0:
            parts.append(text[begun:at])
            begun = at + 1
    parts.append(text[begun:])
    return [part.strip() for part in parts if part.strip()]


def matching(expressions: Sequence[str], codes: Sequence[str], variable: str, *, time: bool) -> tuple[str, ...]:
    """The codes that these expressions mean, in the order of `codes`. Raises Problem 400."""
    known = {code.lower(): code for code in codes}
    meant: set[str] = set()
    evaluated = 0
    for expression in dict.fromkeys(expressions):
        exact = known.get(expression.lower())
        if exact is not None:
            meant.add(exact)
            continue
        evaluated += 1
        if evaluated > MOST_EXPRESSIONS:
            raise Problem(400, "too_many_expressions", variable=variable, most=MOST_EXPRESSIONS)
        meant.update(_evaluated(expression, codes, known, variable, time))
    return tuple(code for code in codes if code in meant)


def _evaluated(
    expression: str, codes: Sequence[str], known: dict[str, str], variable: str, time: bool
) -> Sequence[str]:
    inner = expression[1:-1].strip() if expression.startswith("[") and expression.endswith("]") else expression
    call = _CALL.fullmatch(inner)
    if call is not None:
        given = [part.strip() for part in call["given"].split(",")]
        return _called(call["name"].lower(), given, codes, known, variable, time)
    if "*" in inner or "?" in inner:
        found = _wildcard(inner, codes)
        if not found:
            raise Problem(400, "wildcard_without_hit", variable=variable)
        return found
    if inner.lower() in known:
        return (known[inner.lower()],)
    raise Problem(400, "unknown_value", variable=variable)


def _wildcard(pattern: str, codes: Sequence[str]) -> list[str]:
    # Collapsed: a row of stars would make the match backtrack for ever.
    pieces = re.split(r"([*?])", re.sub(r"\*+", "*", pattern))
    expression = re.compile("".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pieces), re.IGNORECASE)
    if pieces.count("*") > 2:
        return []
    return [code for code in codes if expression.fullmatch(code)]


def _called(
    name: str, given: list[str], codes: Sequence[str], known: dict[str, str], variable: str, time: bool
) -> Sequence[str]:
    if name in ("top", "bottom"):
        if not 1 <= len(given) <= 2 or not all(_NUMBER.fullmatch(each) for each in given):
            raise Problem(400, "bad_expression", variable=variable)
        number, offset = int(given[0]), int(given[1]) if len(given) == 2 else 0
        if number == 0:
            raise Problem(400, "bad_expression", variable=variable)
        # On time the top is the latest, elsewhere the first.
        ordered = codes[::-1] if time == (name == "top") else codes
        found = ordered[offset : offset + number]
        if not found:
            # Nothing chosen would be read as the total, or as no code at all.
            raise Problem(400, "unknown_value", variable=variable)
        return found
    wanted = 2 if name == "range" else 1
    if len(given) != wanted or not all(given):
        raise Problem(400, "bad_expression", variable=variable)
    if any(each.lower() not in known for each in given):
        raise Problem(400, "unknown_value", variable=variable)
    places = [codes.index(known[each.lower()]) for each in given]
    first = 0 if name == "to" else places[0]
    last = len(codes) - 1 if name == "from" else places[-1]
    if first > last:
        raise Problem(400, "bad_expression", variable=variable)
    return codes[first : last + 1]
