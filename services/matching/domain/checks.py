"""What several decisions of matching have in common: checks that refuse, and events that they end in.

Invariant: a refusal about a person has one code for all grounds that are protected.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NoReturn

from pydantic import JsonValue

from contracts.matching import MatchCancelled, NeedAssigned
from contracts.refused import Refused
from contracts.vocabulary import CancelReason
from services.matching.domain.facts import CandidateFacts, NeedFacts
from services.matching.domain.ranking import unavailable, unmet
from services.matching.domain.state import Match, World


def cancelled(match: Match, reason: CancelReason, today: date, note: str | None = None) -> MatchCancelled:
    """The end of a match without a start."""
    return MatchCancelled(**about(match), cancelled_on=today, reason=reason, sealed=sealed(note=note))


def about(match: Match) -> dict[str, Any]:
    return {
        "match_id": match.match_id,
        "need_id": match.need_id,
        "slot_id": match.slot_id,
        "candidate_id": match.candidate_id,
        "org_number": match.org_number,
    }


def sealed(**texts: str | None) -> Mapping[str, JsonValue] | None:
    return {name: text for name, text in texts.items() if text is not None} or None


def wrong(code: str, field: str, **params: object) -> NoReturn:
    raise Refused(code, [field], status=422, **params)


def check_wanted(match: Match, need: NeedFacts, candidate: CandidateFacts, today: date) -> None:
    """Again at every step: a match proposed while a withdrawal was on its way must not get any further."""
    check_slot_wanted(need, match.slot_id)
    if unavailable(candidate, today):
        # One code for all grounds: a code of its own for any would tell the protected ones apart.
        raise Refused("candidate_not_available")
    if missing := unmet(need, candidate):
        raise Refused(missing[0].value)


def check_slot_wanted(need: NeedFacts, slot_id: str) -> None:
    if slot_id in need.withdrawn_slots:
        raise Refused("slot_withdrawn")
    if slot_id in need.expired_slots:
        raise Refused("slot_expired")


def check_slot(need: NeedFacts, slot_id: str, world: World) -> None:
    check_slot_wanted(need, slot_id)
    if world.confirmed_on(slot_id):
        raise Refused("slot_filled")


def check_note(is_other: bool, note: str | None) -> None:
    if is_other and note is None:
        wrong("note_missing", "/note")
    if not is_other and note is not None:
        wrong("note_only_for_other", "/note")


def assigned(
    need_id: str, org_number: str, intermediary: str, today: date, *, previous: str | None = None
) -> NeedAssigned:
    """Who works on the need from now on."""
    return NeedAssigned(
        need_id=need_id, org_number=org_number, intermediary=intermediary, assigned_on=today, previous=previous
    )


def is_held(candidate: CandidateFacts, world: World) -> bool:
    """Whether a confirmed match holds the person, also under the id of a registration that was merged into this."""
    return any(world.holding(name) for name in (candidate.candidate_id, *candidate.absorbed))
