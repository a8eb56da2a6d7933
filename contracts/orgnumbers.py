"""Organisation numbers.

Invariant: a number that is let in has nine digits and a valid control digit, and is stored without spaces.
"""

from __future__ import annotations

from typing import Literal

from stdnum.exceptions import InvalidChecksum, InvalidLength, ValidationError
from stdnum.no import orgnr

Reason = Literal["not_digits", "not_nine_digits", "control_digit", "first_digit"]

REAL_FIRST_DIGITS = "89"
SYNTHETIC_FIRST_DIGITS = "23"
"""Synthetic units of the test registers; let in only where that is configured."""


class InvalidOrgNumber(ValueError):
    """Not an organisation number. `reason` is a stable code."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def org_number(text: str, *, synthetic_allowed: bool = False) -> str:
    """The nine digits, spaces removed. Raises InvalidOrgNumber.

    Modulus 11 with weights 3 2 7 6 5 4 3 2; a control digit of 10 does not exist, so such a number is never valid.
    """
    try:
        number: str = orgnr.validate(text)
    except InvalidLength:
        raise InvalidOrgNumber("not_nine_digits") from None
    except InvalidChecksum:
        raise InvalidOrgNumber("control_digit") from None
    except ValidationError:
        raise InvalidOrgNumber("not_digits") from None
    allowed = REAL_FIRST_DIGITS + (SYNTHETIC_FIRST_DIGITS if synthetic_allowed else "")
    if number[0] not in allowed:
        raise InvalidOrgNumber("first_digit")
    return number


def is_valid(text: str, *, synthetic_allowed: bool = False) -> bool:
    """Whether it is an organisation number."""
    try:
        org_number(text, synthetic_allowed=synthetic_allowed)
    except InvalidOrgNumber:
        return False
    return True
