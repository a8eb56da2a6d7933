"""What can be asked of intake about a need.

Invariant: time and ids come with the command; what other services know (which slots are filled) comes with it too, as
it was read when the command came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contracts.vocabulary import Intermediary, WithdrawReason
from services.intake.domain.content import Content


@dataclass(frozen=True)
class RegisterNeed:
    need_id: str
    slot_ids: tuple[str, ...]
    org_number: str
    municipality: str
    content: Content
    at: datetime
    intermediary: Intermediary = Intermediary.NAV
    copied_from: str | None = None
    accepted_warnings: frozenset[str] = frozenset()
    synthetic: bool = False
    """Whether synthetic organisation numbers count."""


@dataclass(frozen=True)
class ReviseNeed:
    content: Content
    at: datetime
    accepted_warnings: frozenset[str] = frozenset()


@dataclass(frozen=True)
class WithdrawNeed:
    reason: WithdrawReason
    at: datetime
    slot_ids: tuple[str, ...] | None = None
    """Which slots; None: all that are open."""
    started: frozenset[str] = frozenset()
    """Slots on which somebody has begun to work."""


@dataclass(frozen=True)
class ExpireNeed:
    """Nobody filled these slots by the last open day."""

    at: datetime
    taken: frozenset[str] = frozenset()
    """Slots that somebody has, or has begun on."""


@dataclass(frozen=True)
class EraseNeedText:
    """Free text and contact person, of every version of the need."""

    at: datetime


NeedCommand = RegisterNeed | ReviseNeed | WithdrawNeed | ExpireNeed | EraseNeedText
