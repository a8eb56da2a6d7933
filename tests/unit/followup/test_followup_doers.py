"""Who did what in the history of a case, as far as the event or the rules tell."""

from __future__ import annotations

from datetime import date

import pytest

from contracts.vocabulary import AnnulReason, Party
from services.followup.domain.commands import Command, EndCases
from services.followup.showing import case_body, history_for
from tests.unit.followup.followup_facts import CONCLUDED, annulling, noon
from tests.unit.followup.test_followup_views import FULL, case_of

TODAY = date(2025, 1, 29)


def test_every_step_of_a_case_tells_who_took_it_or_that_nobody_had_to() -> None:
    told = {each["event"]: (each["by"], each["by_itself"]) for each in history_for(case_of(FULL), Party.COUNSELLOR)}
    assert not [event for event, (by, by_itself) in told.items() if by is None and not by_itself]
    assert told["AgreementDrafted"] == told["CheckInHeld"] == told["TrialClosed"] == ("counsellor", False)
    assert told["VoiceGiven"] == ("participant", False)
    assert told["AgreementConcluded"] == told["CheckInMissed"] == (None, True)


def test_the_interface_tells_the_same() -> None:
    history = case_body(case_of(FULL), TODAY, Party.EMPLOYER)["history"]
    assert {each["event"]: each["by"] for each in history}["AgreementDrafted"] == "counsellor"
    assert all(set(each) == {"event", "on", "by"} for each in history)


@pytest.mark.parametrize(
    ("ends", "by", "by_itself"),
    [
        (annulling(reason=AnnulReason.REGISTERED_BY_MISTAKE), "counsellor", False),
        (EndCases(match_ids=("M1",), reason=AnnulReason.NEED_WITHDRAWN, at=noon(TODAY)), None, True),
        # A counsellor says so, and it follows when the person is gone: the event does not tell which.
        (EndCases(match_ids=("M1",), reason=AnnulReason.NO_LONGER_AVAILABLE, at=noon(TODAY)), None, False),
    ],
)
def test_an_annulment_is_the_counsellors_only_where_the_reason_is_one_that_people_give(
    ends: Command, by: str | None, by_itself: bool
) -> None:
    history = history_for(case_of(CONCLUDED, ends), Party.COUNSELLOR)
    assert [(each["by"], each["by_itself"]) for each in history if each["event"] == "AgreementAnnulled"] == [
        (by, by_itself)
    ]
