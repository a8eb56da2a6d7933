"""What was written freely into a need is erased for good; the need itself stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from contracts.event import Event
from contracts.intake import NeedRegistered, NeedRevised, NeedTextErased
from services.intake.domain.content import Contact, FreeText
from services.intake.domain.need_commands import EraseNeedText, ReviseNeed
from services.intake.domain.needs import decide, evolve
from tests.gwt import given
from tests.unit.intake.test_deciding_needs import LIER, MONDAY, REGISTERED, WITHDRAWN

TEXT = FreeText("Blomster", "Binde buketter", Contact("Kari Kontakt", "22 22 22 22"))
WRITTEN = REGISTERED.model_copy(update={"sealed": TEXT.sealed()})
TEXT_ERASED = NeedTextErased(need_id="N1", org_number="310000019", erased_on=date(2025, 1, 13))


def test_text_and_contact_are_erased_of_a_need_that_stands_and_of_one_that_has_ended() -> None:
    for events in ([WRITTEN], [WRITTEN, WITHDRAWN]):
        given(evolve, None, events).when(decide, EraseNeedText(MONDAY)).then(TEXT_ERASED)
    # What an earlier version said is sealed too, though the last one says nothing.
    revised = [WRITTEN, NeedRevised(**{**_content(REGISTERED), "revised_on": date(2025, 1, 13)})]
    given(evolve, None, revised).when(decide, EraseNeedText(MONDAY)).then(TEXT_ERASED)


@pytest.mark.parametrize("events", [[REGISTERED], [WRITTEN, TEXT_ERASED]])
def test_where_nothing_is_written_nothing_is_erased(events: list[Event]) -> None:
    given(evolve, None, events).when(decide, EraseNeedText(MONDAY)).then_refused("no_text_to_erase", status=409)


def test_nothing_is_written_into_a_need_whose_text_was_erased() -> None:
    erased = given(evolve, None, [WRITTEN, TEXT_ERASED])
    again = ReviseNeed(replace(LIER.content, free=FreeText("Blomster")), MONDAY)
    erased.when(decide, again).then_refused("text_erased", status=409)
    outcome = erased.when(decide, ReviseNeed(replace(LIER.content, hours_per_week=30.0), MONDAY))
    assert [type(event) for event in outcome.events] == [NeedRevised], "the rest of it may change"


def test_an_erased_text_is_shown_to_nobody_though_its_key_is_still_there() -> None:
    """The key goes by a reaction: with the broker away much later, and a copy of the need would keep the text."""
    state = given(evolve, None, [WRITTEN, TEXT_ERASED]).state
    assert state is not None
    assert (state.last.sealed, state.registered.sealed) == (None, None)


def _content(need: NeedRegistered) -> dict[str, object]:
    return {name: value for name, value in need.data().items() if name in NeedRevised.model_fields}
