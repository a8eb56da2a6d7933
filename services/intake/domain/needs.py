"""Needs: an employer asks for people, changes the request, and may take it back; what nobody fills ends by itself.

Invariant: the clock of every slot begins on the Oslo day of the registration and nothing moves it; a slot that is
closed stays closed, and each is closed once, with one reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import assert_never

from contracts.days import oslo_day, promise_date
from contracts.event import Event
from contracts.intake import NeedExpired, NeedRegistered, NeedRevised, NeedTextErased, NeedWithdrawn
from contracts.refused import Refused
from services.intake.domain import content
from services.intake.domain.need_commands import (
    EraseNeedText,
    ExpireNeed,
    NeedCommand,
    RegisterNeed,
    ReviseNeed,
    WithdrawNeed,
)
from services.intake.domain.rules import check_municipality, check_org_number, check_unique, wrong

MOST_SLOTS = 20
_NO_TEXT = {"sealed": None}


@dataclass(frozen=True)
class Need:
    """What later decisions have to know of a need."""

    need_id: str
    org_number: str
    slot_ids: tuple[str, ...]
    last: NeedRegistered | NeedRevised = field(repr=False)
    """What holds of its content."""
    registered: NeedRegistered = field(repr=False)
    closed: frozenset[str] = frozenset()
    written: bool = False
    """Something of some version was sealed, as far as it was opened."""
    text_erased: bool = False

    @property
    def open_slots(self) -> tuple[str, ...]:
        """Those that are neither withdrawn nor expired, in their order."""
        return tuple(each for each in self.slot_ids if each not in self.closed)


def evolve(state: Need | None, event: Event) -> Need | None:
    """The need after one more event; events of other subjects in the same commits change nothing."""
    match event:
        case NeedRegistered():
            written = event.sealed is not None
            return Need(event.need_id, event.org_number, event.slot_ids, event, event, written=written)
        case NeedRevised() if state is not None:
            return replace(state, last=event, written=state.written or event.sealed is not None)
        case NeedTextErased() if state is not None:
            # The key goes a moment later, and with the broker away much later: from here on nobody is shown the text.
            registered = state.registered.model_copy(update=_NO_TEXT)
            return replace(state, text_erased=True, last=state.last.model_copy(update=_NO_TEXT), registered=registered)
        case NeedWithdrawn() | NeedExpired() if state is not None:
            return replace(state, closed=state.closed | set(event.slot_ids))
        case _:
            return state


def decide(command: NeedCommand, state: Need | None) -> list[Event]:
    """The events that a command leads to. Raises Refused."""
    if isinstance(command, RegisterNeed):
        return [_register(command, state)]
    if state is None:
        raise Refused("need_unknown")
    if isinstance(command, EraseNeedText):
        # Also of a need that has ended: the contact person stands in it all the same.
        return [_erase_text(command, state)]
    if not state.open_slots:
        raise Refused("need_closed")
    match command:
        case ReviseNeed():
            return [_revise(command, state)]
        case WithdrawNeed():
            return [_withdraw(command, state)]
        case ExpireNeed():
            return _expire(command, state)
        case _:
            assert_never(command)


def _register(command: RegisterNeed, state: Need | None) -> NeedRegistered:
    today = oslo_day(command.at)
    check_org_number(command.org_number, "/org_number", synthetic=command.synthetic)
    check_municipality(command.municipality, "/municipality")
    if not 1 <= len(command.slot_ids) <= MOST_SLOTS:
        raise wrong("slots_out_of_range", "/slots", most=MOST_SLOTS)
    found = content.check(command.content, today)
    if state is not None:
        raise Refused("need_already_registered")
    content.check_accepted(found, command.accepted_warnings)
    return NeedRegistered(
        need_id=command.need_id,
        org_number=command.org_number,
        municipality=command.municipality,
        county=command.municipality[:2],
        slot_ids=command.slot_ids,
        intermediary=command.intermediary,
        copied_from=command.copied_from,
        registered_on=today,
        promise_date=promise_date(today),
        sealed=command.content.sealed(),
        **command.content.public(today),
    )


def check_text_allowed(state: Need, text: content.Content) -> None:
    """Raises Refused where the key is gone that free text would be sealed with."""
    if state.text_erased and text.sealed() is not None:
        raise Refused("text_erased")


def _erase_text(command: EraseNeedText, state: Need) -> NeedTextErased:
    if state.text_erased or not state.written:
        raise Refused("no_text_to_erase")
    return NeedTextErased(need_id=state.need_id, org_number=state.org_number, erased_on=oslo_day(command.at))


def _revise(command: ReviseNeed, state: Need) -> NeedRevised:
    today = oslo_day(command.at)
    check_text_allowed(state, command.content)
    found = content.check(command.content, today, state.last)
    content.check_accepted(found, command.accepted_warnings)
    fresh = command.content.public(state.registered.registered_on)
    sealed = command.content.sealed()
    if all(getattr(state.last, name) == value for name, value in fresh.items()) and state.last.sealed == sealed:
        raise Refused("nothing_changed")
    if (fresh["expires_on"]) < today:
        raise wrong("expires_too_early", "/expires_on")
    return NeedRevised(need_id=state.need_id, org_number=state.org_number, revised_on=today, sealed=sealed, **fresh)


def _withdraw(command: WithdrawNeed, state: Need) -> NeedWithdrawn:
    named = state.open_slots if command.slot_ids is None else command.slot_ids
    check_unique(named, "/slot_ids")
    if unknown := [each for each in named if each not in state.slot_ids]:
        raise wrong("slot_unknown", *(f"/slot_ids/{named.index(each)}" for each in unknown))
    if any(each in state.closed for each in named):
        raise Refused("slot_closed")
    if command.slot_ids is not None and command.started.intersection(named):
        raise Refused("slot_filled")
    slots = tuple(each for each in named if each not in command.started)
    if not slots:
        raise Refused("slot_filled")
    return NeedWithdrawn(
        need_id=state.need_id,
        org_number=state.org_number,
        slot_ids=slots,
        reason=command.reason,
        withdrawn_on=oslo_day(command.at),
    )


def _expire(command: ExpireNeed, state: Need) -> list[Event]:
    today = oslo_day(command.at)
    slots = due(state, today, command.taken)
    if not slots:
        return []
    return [NeedExpired(need_id=state.need_id, org_number=state.org_number, slot_ids=slots, expired_on=today)]


def due(state: Need, today: date, taken: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The slots that have expired by that day: open, taken by nobody, and the last open day lies behind."""
    last = state.last.expires_on
    if last is None or today <= last:
        return ()
    return tuple(each for each in state.open_slots if each not in taken)
