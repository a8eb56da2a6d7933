"""Agreements that change or expire, and trials that are changed while they run."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.followup import (
    AgreementChanged,
    AgreementExpired,
    AgreementExpiring,
    CaseEvent,
    ChangeAccepted,
    ChangeDeclined,
    ChangeProposed,
    CheckInMissed,
    TaskAssigned,
    TaskCompleted,
    TrialShortened,
    VoiceGiven,
)
from contracts.subsidyplan import Wage
from contracts.vocabulary import Measure, Party, ShortenReason
from services.followup.domain.clock import check_ins, expiries
from services.followup.domain.commands import (
    AnswerChange,
    Change,
    Command,
    Draft,
    GiveVoice,
    LookAtCheckIns,
    LookAtDraft,
    ProposeChange,
    Shorten,
)
from services.followup.domain.decide import decide
from services.followup.domain.moments import oslo_midnight
from services.followup.domain.state import Stage
from services.followup.domain.subsidies import plan_of, wage_of
from tests.unit.followup.followup_facts import (
    CARED_FOR,
    CONCLUDED,
    IDS,
    STARTED,
    after,
    annulling,
    approvals,
    approving,
    checking_in,
    closing,
    drafting,
    extending,
    noon,
    opened,
    played,
    revoking,
)
from tests.unit.followup.test_followup_extensions import SUBSIDY, deciding

WAGE = Wage(Decimal(45_000), Decimal(12), Decimal(2), Decimal("14.1"), Decimal(100))
TRIAL = {**IDS, "trial_id": "trial-A1", "agreement_id": "A1"}


def changing(**but: Any) -> Change:
    drafted = {name: value for name, value in vars(drafting()).items() if name not in ("match_id", "intermediary")}
    usual = {**drafted, "task_id": "A1-again", "hours_per_week": 30.0, "acting": Party.COUNSELLOR}
    return Change(**{**usual, "at": noon(date(2025, 1, 28)), **but})


def test_a_change_is_a_new_version_from_its_first_day_and_everybody_approves_anew() -> None:
    changed = AgreementChanged(
        **IDS,
        agreement_id="A1",
        content_version=2,
        changed_on=date(2025, 1, 28),
        effective_on=date(2025, 2, 3),
        measure="work_training",
        start_on=date(2025, 2, 3),
        end_on=date(2025, 5, 2),
        hours_per_week=30.0,
        decision_maker_needed=False,
        rule_version="2024-01-01",
        sealed={
            "reduced_work_capacity": False,
            "answers": {"old_enough": True, "young_enough": True},
            "eligibility_rule_version": "2024-01-01",
        },
    )
    done = TaskCompleted(**IDS, task_id="A1-approve", task="approve_agreement", completed_on=date(2025, 1, 28))
    asked = TaskAssigned(
        **IDS, task_id="A1-again", task="approve_agreement", responsible="counsellor", due_on=date(2025, 2, 3)
    )
    before: list[Command] = [opened(), drafting(), *approvals()[:2]]
    after(before).when(decide, changing()).then(changed, done, asked)
    state = after(before, changing()).state.cases["M1"].agreements["A1"]
    assert (state.approvals, state.content_version) == ((), 2)


def test_a_concluded_agreement_that_is_changed_is_a_draft_again_and_takes_no_days() -> None:
    state = after(CONCLUDED, changing()).state.cases["M1"].agreements["A1"]
    assert (state.stage, state.period) == (Stage.DRAFTED, None)
    again = after(CONCLUDED, changing(), approvals(at=noon(date(2025, 1, 29)))).state
    assert again.cases["M1"].agreements["A1"].stage == Stage.CONCLUDED


def test_a_change_keeps_to_the_rules_of_a_draft_and_to_what_has_not_started() -> None:
    after(CONCLUDED).when(decide, changing(end_on=date(2026, 2, 3))).then_refused("longer_than_allowed", ["/end_on"])
    after(CONCLUDED).when(decide, changing(acting=Party.EMPLOYER)).then_refused("not_yours_to_say")
    after(STARTED).when(decide, changing(at=noon(date(2025, 2, 4)))).then_refused("already_started")
    after(CONCLUDED, annulling()).when(decide, changing()).then_refused("agreement_annulled")


def test_a_wage_is_sealed_and_what_it_amounts_to_is_told_by_period() -> None:
    draft = SUBSIDY[1]
    assert isinstance(draft, Draft)
    with_wage: list[Command] = [SUBSIDY[0], replace(draft, wage=WAGE), *SUBSIDY[2:]]
    drafted = next(event for event in played(with_wage) if type(event).__name__ == "AgreementDrafted")
    assert "45000" not in str(drafted.data())
    person = after(with_wage).state
    agreement = person.cases["M1"].agreements["A1"]
    assert wage_of(agreement) == WAGE
    plan = plan_of(person, agreement)
    assert [(each.percent, each.amount_nok) for each in plan.periods] == [(40, 23_463)] * 6
    assert plan.rule_version == "2024-01-01"
    extended = plan_of(person, agreement, end_on=date(2026, 11, 30), percent=30)
    assert [(each.percent, each.amount_nok) for each in extended.periods[6:]] == [(30, 17_597)] * 6
    # The dry run is what is then done.
    done = after(with_wage, deciding()).state
    assert plan_of(done, done.cases["M1"].agreements["A1"]).periods == extended.periods


def test_an_agreed_per_cent_that_an_extension_changes_holds_from_the_extension_on() -> None:
    permanent: list[Command] = [
        opened(),
        drafting(measure=Measure.PERMANENT_WAGE_SUBSIDY, wage_subsidy_percent=60, end_on=date(2025, 7, 31)),
        *approvals(decided=True),
        *STARTED[-1:],
        deciding(end_on=date(2025, 9, 30), wage_subsidy_percent=40, at=noon(date(2025, 7, 1))),
    ]
    person = after(permanent).state
    plan = plan_of(person, person.cases["M1"].agreements["A1"])
    assert [(each.from_on.month, each.percent) for each in plan.periods][-3:] == [(7, 60), (8, 40), (9, 40)]


def test_an_inclusion_grant_has_a_ceiling_per_calendar_year_and_no_per_cent() -> None:
    grant: list[Command] = [
        opened(),
        drafting(measure=Measure.INCLUSION_GRANT, start_on=date(2025, 2, 3), end_on=date(2026, 1, 31)),
    ]
    person = after(grant).state
    plan = plan_of(person, person.cases["M1"].agreements["A1"])
    assert (plan.periods, plan.ceilings_nok) == ((), {2025: 154_800, 2026: 160_400})


# --- expiry ----------------------------------------------------------------------------------------------------------

DRAFTED: list[Command] = [opened(), drafting(start_on=date(2025, 5, 1), end_on=date(2025, 7, 31))]
EXPIRES = date(2025, 1, 22) + timedelta(weeks=12)


def looking(on: date, **but: Any) -> LookAtDraft:
    return LookAtDraft(**{"agreement_id": "A1", "on": on, "task_id": "again", "at": oslo_midnight(on), **but})


def test_a_draft_untouched_for_12_weeks_expires_with_a_warning_one_week_and_one_day_before() -> None:
    drafted = played(DRAFTED)[1]
    assert [look.on for look in expiries(drafted)] == [
        EXPIRES - timedelta(days=7),
        EXPIRES - timedelta(days=1),
        EXPIRES,
    ]
    for left in (7, 1):
        on = EXPIRES - timedelta(days=left)
        warning = AgreementExpiring(
            **IDS, agreement_id="A1", expires_on=EXPIRES, days_left=left, occurred=oslo_midnight(on)
        )
        after(DRAFTED).when(decide, looking(on)).then(warning)
    after(DRAFTED).when(decide, looking(EXPIRES)).then(
        AgreementExpired(
            **IDS,
            agreement_id="A1",
            expired_on=EXPIRES,
            rule_version="2024-01-01",
            occurred=oslo_midnight(EXPIRES),
        ),
        TaskCompleted(**IDS, task_id="A1-approve", task="approve_agreement", completed_on=EXPIRES),
        TaskAssigned(**IDS, task_id="again", task="draft_agreement", responsible="counsellor", due_on=EXPIRES),
    )
    expired = [*DRAFTED, looking(EXPIRES)]
    after(expired).when(decide, looking(EXPIRES)).then()
    after(expired).when(decide, approving(Party.EMPLOYER)).then_refused("agreement_expired")
    assert after(expired).when(decide, drafting(agreement_id="A2", start_on=EXPIRES, at=noon(EXPIRES))).refusal is None


@pytest.mark.parametrize(
    "touch",
    [
        approving(Party.EMPLOYER, at=noon(date(2025, 2, 1))),
        changing(start_on=date(2025, 5, 1), at=noon(date(2025, 2, 1))),
    ],
)
def test_whoever_touches_a_draft_gives_it_12_weeks_more(touch: Command) -> None:
    after(DRAFTED, touch).when(decide, looking(EXPIRES)).then()
    later = date(2025, 2, 1) + timedelta(weeks=12)
    assert type(after(DRAFTED, touch).when(decide, looking(later)).events[0]) is AgreementExpired
    revoked: list[Command] = [
        approving(Party.EMPLOYER, at=noon(date(2025, 2, 1))),
        revoking(Party.EMPLOYER, at=noon(date(2025, 2, 3))),
    ]
    after(DRAFTED, revoked).when(decide, looking(later)).then()


def test_what_is_no_draft_does_not_expire() -> None:
    after(CONCLUDED).when(decide, looking(EXPIRES)).then()
    after(opened()).when(decide, looking(EXPIRES)).then()
    after(DRAFTED).when(decide, looking(EXPIRES, at=noon(date(2025, 4, 1)))).then()


# --- while a trial runs ----------------------------------------------------------------------------------------------


def missing(on: date, **but: Any) -> LookAtCheckIns:
    return LookAtCheckIns(**{"trial_id": "trial-A1", "on": on, "task_id": "T", "at": oslo_midnight(on), **but})


def test_a_missed_check_in_is_said_once_raises_a_task_and_blocks_an_extension_until_one_is_held() -> None:
    started = played(STARTED)[-2]
    assert [look.on for look in check_ins(started)] == [date(2025, 3, 4)]
    missed = CheckInMissed(
        **TRIAL,
        due_on=date(2025, 3, 3),
        playbook_version="playbook-2000",
        occurred=oslo_midnight(date(2025, 3, 4)),
    )
    task = TaskAssigned(**IDS, task_id="T", task="hold_check_in", responsible="counsellor", due_on=date(2025, 3, 4))
    after(STARTED).when(decide, missing(date(2025, 3, 4))).then(missed, task)
    after(STARTED).when(decide, missing(date(2025, 3, 3))).then()
    owed = [*STARTED, missing(date(2025, 3, 4))]
    after(owed).when(decide, missing(date(2025, 3, 20))).then()
    after(owed).when(decide, extending()).then_refused("check_in_owed", status=409)
    held = checking_in(held_on=date(2025, 3, 20), at=noon(date(2025, 3, 20)), agreed="Kurs i kassa")
    events = after(owed).when(decide, held).events
    assert [type(event).__name__ for event in events] == ["CheckInHeld", "TaskCompleted"]
    assert events[0].sealed == {"agreed": "Kurs i kassa"}
    assert after(owed, held).when(decide, extending()).refusal is None


def test_a_check_in_is_not_missed_after_the_last_day_or_the_closing_and_is_due_again_after_an_extension() -> None:
    after(CARED_FOR).when(decide, missing(date(2025, 5, 20))).then()
    extended = [*CARED_FOR, extending()]
    assert [look.on for look in check_ins(played(extended)[-1])] == [date(2025, 4, 26)]
    assert len(after(extended).when(decide, missing(date(2025, 5, 20))).events) == 2
    after(extended, closing()).when(decide, missing(date(2025, 5, 20))).then()
    looks = [look.on for look in check_ins(played(CARED_FOR)[-1])]
    assert date(2025, 4, 7) + timedelta(weeks=6, days=1) in looks


VOICE = GiveVoice(
    trial_id="trial-A1",
    acting=Party.PARTICIPANT,
    actor="K1",
    voice_id="V1",
    answers={"well": "mixed", "text": "Jeg vil lære mer"},
    at=noon(date(2025, 3, 1)),
)


def test_the_voice_of_the_candidate_is_sealed_whole_and_nobody_else_has_one() -> None:
    event = VoiceGiven(
        **TRIAL, voice_id="V1", given_on=date(2025, 3, 1), sealed={"well": "mixed", "text": "Jeg vil lære mer"}
    )
    after(STARTED).when(decide, VOICE).then(event)
    assert "mixed" not in str(event.data())
    for acting in (Party.EMPLOYER, Party.COUNSELLOR, Party.DECISION_MAKER):
        after(STARTED).when(decide, replace(VOICE, acting=acting)).then_refused("not_yours_to_say")
    after(STARTED, closing()).when(decide, VOICE).then_refused("trial_closed")


def shortening(**but: Any) -> Shorten:
    usual: dict[str, Any] = {
        "trial_id": "trial-A1",
        "acting": Party.COUNSELLOR,
        "actor": "the counsellor",
        "end_on": date(2025, 4, 1),
        "reason": ShortenReason.PARTICIPANT_REQUEST,
        "note": None,
        "at": noon(date(2025, 3, 5)),
    }
    return Shorten(**{**usual, **but})


def test_shortening_needs_a_reason_and_an_earlier_day_that_has_not_passed() -> None:
    after(STARTED).when(decide, shortening(note="ny jobb")).then(
        TrialShortened(
            **TRIAL,
            shortened_on=date(2025, 3, 5),
            end_on=date(2025, 4, 1),
            reason="participant_request",
            decided_by="counsellor",
            rule_version="2024-01-01",
            sealed={"note": "ny jobb"},
        )
    )
    for but, code, fields in (
        ({"end_on": date(2025, 5, 2)}, "end_not_earlier", ["/end_on"]),
        ({"end_on": date(2025, 3, 4)}, "end_in_the_past", ["/end_on"]),
        ({"reason": ShortenReason.OTHER}, "note_missing", ["/note"]),
        ({"acting": Party.EMPLOYER}, "not_yours_to_say", []),
    ):
        after(STARTED).when(decide, shortening(**but)).then_refused(code, fields)
    assert after(STARTED, shortening()).state.cases["M1"].agreements["A1"].period == (
        date(2025, 2, 3),
        date(2025, 4, 1),
    )


def proposing(acting: Party = Party.EMPLOYER, **but: Any) -> ProposeChange:
    usual: dict[str, Any] = {
        "trial_id": "trial-A1",
        "acting": acting,
        "actor": acting.value,
        "change_id": "X1",
        "effective_on": date(2025, 3, 10),
        "hours_per_week": 30.0,
        "note": None,
        "at": noon(date(2025, 3, 3)),
    }
    return ProposeChange(**{**usual, **but})


def answering(acting: Party, *, accepted: bool = True, **but: Any) -> AnswerChange:
    usual: dict[str, Any] = {
        "trial_id": "trial-A1",
        "acting": acting,
        "actor": acting.value,
        "change_id": "X1",
        "accepted": accepted,
        "note": None,
        "at": noon(date(2025, 3, 4)),
    }
    return AnswerChange(**{**usual, **but})


CHANGE: dict[str, Any] = {**TRIAL, "change_id": "X1", "effective_on": date(2025, 3, 10), "hours_per_week": 30.0}


@pytest.mark.parametrize(("one", "other"), [(Party.EMPLOYER, Party.PARTICIPANT), (Party.PARTICIPANT, Party.EMPLOYER)])
def test_a_change_proposed_by_one_party_holds_when_the_other_has_accepted_it(one: Party, other: Party) -> None:
    after(STARTED).when(decide, proposing(one)).then(
        ChangeProposed(**CHANGE, proposed_by=one, proposed_on=date(2025, 3, 3))
    )
    proposed = [*STARTED, proposing(one)]
    after(proposed).when(decide, answering(one)).then_refused("your_own_change")
    after(proposed).when(decide, answering(other)).then(
        ChangeAccepted(**CHANGE, accepted_by=other, accepted_on=date(2025, 3, 4))
    )
    for party in (one, other):
        no = answering(party, accepted=False, note="for lite")
        said = ChangeDeclined(**CHANGE, declined_by=party, declined_on=date(2025, 3, 4), sealed={"note": "for lite"})
        after(proposed).when(decide, no).then(said)
        after(proposed, no).when(decide, answering(other)).then_refused("change_unknown", status=404)


def test_one_change_at_a_time_within_the_trial_by_the_two_whose_agreement_it_is() -> None:
    after(STARTED, proposing()).when(decide, proposing(change_id="X2")).then_refused("change_waits")
    for effective_on in (date(2025, 3, 2), date(2025, 5, 3)):
        after(STARTED).when(decide, proposing(effective_on=effective_on)).then_refused(
            "outside_trial", ["/effective_on"], status=422
        )
    for party in (Party.COUNSELLOR, Party.DECISION_MAKER):
        after(STARTED).when(decide, proposing(party)).then_refused("not_yours_to_say")
        after(STARTED, proposing()).when(decide, answering(party)).then_refused("not_yours_to_say")
    shortened: list[Command] = [*STARTED, proposing(), shortening(end_on=date(2025, 3, 6), at=noon(date(2025, 3, 4)))]
    after(shortened).when(decide, answering(Party.PARTICIPANT)).then_refused("outside_trial", status=409)


def test_every_event_of_a_person_is_read_by_the_state() -> None:
    events: list[CaseEvent] = played([*CARED_FOR, proposing(at=noon(date(2025, 3, 3))), extending(), closing()])
    assert {type(event).__name__ for event in events} >= {"ChangeProposed", "TrialExtended", "TrialClosed"}
