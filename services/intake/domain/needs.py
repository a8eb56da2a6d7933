"""Needs: an employer asks for people, and may take it back.

Invariant: the clock of every slot begins on the Oslo day of the registration; a withdrawn need stays withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import assert_never

from contracts.days import add_months, oslo_day, promise_date
from contracts.event import Event
from contracts.intake import LanguageLevels, NeedRegistered, NeedWithdrawn
from contracts.refused import Refused
from contracts.vocabulary import Intermediary, Measure, WithdrawReason
from services.intake.domain.rules import (
    FULL_WEEK_HOURS,
    NO_LEVELS,
    Licence,
    check_hours,
    check_municipality,
    check_occupation,
    check_org_number,
    check_unique,
    wrong,
)

MOST_SLOTS = 20
FARTHEST_START_MONTHS = 24


@dataclass(frozen=True)
class RegisterNeed:
    need_id: str
    slot_ids: tuple[str, ...]
    org_number: str
    municipality: str
    occupation: str
    at: datetime
    intermediary: Intermediary = Intermediary.NAV
    measure: Measure | None = None
    hours_per_week: float = FULL_WEEK_HOURS
    start_from: date | None = None
    language: LanguageLevels = NO_LEVELS
    licences: tuple[Licence, ...] = ()
    synthetic: bool = False
    """Whether synthetic organisation numbers count."""


@dataclass(frozen=True)
class WithdrawNeed:
    reason: WithdrawReason
    at: datetime


NeedCommand = RegisterNeed | WithdrawNeed


@dataclass(frozen=True)
class Need:
    """What later decisions have to know of a need."""

    need_id: str
    org_number: str
    slot_ids: tuple[str, ...]
    withdrawn: bool = False


def evolve(state: Need | None, event: Event) -> Need | None:
    """The need after one more event; events of other subjects in the same commits change nothing."""
    match event:
        case NeedRegistered():
            return Need(event.need_id, event.org_number, event.slot_ids)
        case NeedWithdrawn() if state is not None:
            return replace(state, withdrawn=True)
        case _:
            return state


def decide(command: NeedCommand, state: Need | None) -> list[Event]:
    """The events that a command leads to. Raises Refused."""
    match command:
        case RegisterNeed():
            return [_register(command, state)]
        case WithdrawNeed():
            return [_withdraw(command, state)]
        case _:
            assert_never(command)


def _register(command: RegisterNeed, state: Need | None) -> NeedRegistered:
    today = oslo_day(command.at)
    check_org_number(command.org_number, "/org_number", synthetic=command.synthetic)
    check_occupation(command.occupation, "/occupation")
    check_municipality(command.municipality, "/municipality")
    check_hours(command.hours_per_week, "/hours_per_week")
    check_unique(command.licences, "/licences")
    if not 1 <= len(command.slot_ids) <= MOST_SLOTS:
        raise wrong("slots_out_of_range", "/slots", most=MOST_SLOTS)
    if command.start_from is not None and command.start_from < today:
        raise wrong("start_in_past", "/start_from")
    if command.start_from is not None and command.start_from > add_months(today, FARTHEST_START_MONTHS):
        raise wrong("start_too_far_ahead", "/start_from", months=FARTHEST_START_MONTHS)
    if state is not None:
        raise Refused("need_already_registered")
    return NeedRegistered(
        need_id=command.need_id,
        org_number=command.org_number,
        municipality=command.municipality,
        county=command.municipality[:2],
        occupation=command.occupation,
        slot_ids=command.slot_ids,
        intermediary=command.intermediary,
        measure=command.measure,
        hours_per_week=command.hours_per_week,
        start_from=command.start_from,
        language=command.language,
        licences=command.licences,
        registered_on=today,
        promise_date=promise_date(today),
    )


def _withdraw(command: WithdrawNeed, state: Need | None) -> NeedWithdrawn:
    if state is None:
        raise Refused("need_unknown")
    if state.withdrawn:
        raise Refused("need_withdrawn")
    return NeedWithdrawn(
        need_id=state.need_id,
        org_number=state.org_number,
        slot_ids=state.slot_ids,
        reason=command.reason,
        withdrawn_on=oslo_day(command.at),
    )
