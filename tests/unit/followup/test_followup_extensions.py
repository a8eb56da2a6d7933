"""Extensions, and what no sequence of commands may lead to."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import given as generated
from hypothesis import settings
from hypothesis import strategies as st

from contracts.followup import (
    TrialExtended,
    TrialStarted,
)
from contracts.refused import Refused
from contracts.vocabulary import Measure, Party, ShortenReason
from services.followup.domain.commands import Change, Command, Eligibility, Shorten
from services.followup.domain.decide import decide
from services.followup.domain.state import NOBODY, Person, Stage, evolve
from tests.unit.followup.followup_facts import (
    CARED_FOR,
    IDS,
    OTHER_ORG,
    REDUCED,
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
    starting,
)

SUBSIDY: list[Command] = [
    opened(registered_on=date(2025, 11, 3), at=noon(date(2025, 11, 14))),
    drafting(
        registered_on=date(2025, 11, 3),
        measure=Measure.TEMPORARY_WAGE_SUBSIDY,
        start_on=date(2025, 12, 1),
        end_on=date(2026, 5, 31),
        at=noon(date(2025, 11, 17)),
    ),
    *approvals(decided=True, at=noon(date(2025, 11, 24))),
    starting(registered_on=date(2025, 11, 3), on=date(2025, 12, 1), at=noon(date(2025, 12, 1))),
]


def deciding(**but: Any) -> Command:
    usual: dict[str, Any] = {
        "acting": Party.DECISION_MAKER,
        "actor": "the decision maker",
        "end_on": date(2026, 11, 30),
        "at": noon(date(2026, 5, 18)),
    }
    return extending(**{**usual, **but})


def test_the_subsidy_of_the_nav_case_is_extended_at_the_stepped_down_per_cent() -> None:
    after(SUBSIDY).when(decide, deciding()).then(
        TrialExtended(
            **IDS,
            trial_id="trial-A1",
            agreement_id="A1",
            extended_on=date(2026, 5, 18),
            end_on=date(2026, 11, 30),
            wage_subsidy_percent=30,
            decided_by="decision_maker",
            rule_version="2024-01-01",
        )
    )
    started = next(event for event in _events(SUBSIDY) if isinstance(event, TrialStarted))
    assert (started.wage_subsidy_percent, started.days_from_need, started.within_promise) == (40, 28, True)


def _events(commands: list[Command]) -> list[object]:
    person, events = NOBODY, list[object]()
    for command in commands:
        for event in decide(command, person):
            person = evolve(person, event)
            events.append(event)
    return events


def test_an_extension_ends_within_the_longest_duration() -> None:
    after(SUBSIDY).when(decide, deciding(end_on=date(2026, 12, 1))).then_refused(
        "longer_than_allowed", ["/end_on"], status=422
    )
    with_reduced = after(SUBSIDY).when(decide, deciding(end_on=date(2027, 11, 30), eligibility=REDUCED)).events[0]
    assert isinstance(with_reduced, TrialExtended)
    assert with_reduced.wage_subsidy_percent == 60


def test_the_extension_of_a_subsidy_is_for_a_decision_maker_who_has_approved_nothing() -> None:
    for acting in (Party.COUNSELLOR, Party.EMPLOYER, Party.PARTICIPANT):
        after(SUBSIDY).when(decide, deciding(acting=acting)).then_refused("decision_maker_needed")
    after(SUBSIDY).when(decide, deciding(actor="the counsellor")).then_refused("same_person")


def test_work_training_is_extended_by_a_counsellor_without_any_per_cent() -> None:
    event = after(CARED_FOR).when(decide, extending()).events[0]
    assert isinstance(event, TrialExtended)
    assert (event.end_on, event.wage_subsidy_percent, event.decided_by) == (date(2025, 8, 2), None, "counsellor")
    after(CARED_FOR).when(decide, extending(acting=Party.EMPLOYER)).then_refused("not_yours_to_say")
    after(CARED_FOR).when(decide, extending(wage_subsidy_percent=40)).then_refused(
        "percent_not_allowed", ["/wage_subsidy_percent"]
    )


def test_an_extension_ends_later_than_before_and_later_than_today() -> None:
    for end_on in (date(2025, 5, 2), date(2025, 4, 1)):
        after(CARED_FOR).when(decide, extending(end_on=end_on)).then_refused("end_not_later", ["/end_on"], status=422)
    late = extending(end_on=date(2025, 5, 20), at=noon(date(2025, 5, 20)))
    after(CARED_FOR).when(decide, late).then_refused("end_not_later", ["/end_on"], status=422)
    assert after(CARED_FOR).when(decide, extending(end_on=date(2025, 5, 3))).events


def test_an_extension_asks_again_whether_the_person_may() -> None:
    too_old = Eligibility({"young_enough": False}, False, "2024-01-01")
    after(CARED_FOR).when(decide, extending(eligibility=too_old)).then_refused("not_eligible", ["/measure"], status=422)


def test_an_extension_does_not_run_into_the_next_agreement() -> None:
    following: list[Command] = [
        opened("M2", org_number=OTHER_ORG, registered_on=date(2025, 5, 1)),
        drafting(
            "M2",
            "A2",
            registered_on=date(2025, 5, 1),
            start_on=date(2025, 6, 2),
            end_on=date(2025, 9, 1),
            at=noon(date(2025, 4, 20)),
        ),
        *approvals("A2", at=noon(date(2025, 4, 21))),
    ]
    after(CARED_FOR, following).when(decide, extending(end_on=date(2025, 6, 2))).then_refused("overlaps", ["/end_on"])
    assert after(CARED_FOR, following).when(decide, extending(end_on=date(2025, 6, 1))).events


def test_a_permanent_subsidy_keeps_its_per_cent_and_falls_to_the_ceiling_after_a_year() -> None:
    permanent: list[Command] = [
        opened(),
        drafting(measure=Measure.PERMANENT_WAGE_SUBSIDY, wage_subsidy_percent=70, end_on=date(2026, 2, 2)),
        *approvals(decided=True),
        starting(),
        checking_in(held_on=date(2025, 12, 1), at=noon(date(2025, 12, 1))),
    ]
    usual = {"end_on": date(2027, 1, 1), "at": noon(date(2026, 1, 20))}
    kept = after(permanent).when(decide, deciding(**usual)).events[0]
    assert isinstance(kept, TrialExtended)
    assert kept.wage_subsidy_percent == 67
    agreed = after(permanent).when(decide, deciding(wage_subsidy_percent=50, **usual)).events[0]
    assert isinstance(agreed, TrialExtended)
    assert agreed.wage_subsidy_percent == 50


def rewriting(number: int, start_on: date, end_on: date) -> Change:
    """Other days for an agreement, whether or not it has been concluded."""
    usual = drafting(f"M{number}", f"A{number}", start_on=start_on, end_on=end_on, late_registration=True)
    content = {name: value for name, value in vars(usual).items() if name not in ("match_id", "intermediary")}
    return Change(**content, acting=Party.COUNSELLOR)


days = st.dates(date(2025, 1, 20), date(2025, 12, 31))
moves: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        lambda n, start_on, length: drafting(
            f"M{n}", f"A{n}", start_on=start_on, end_on=start_on + timedelta(days=length), late_registration=True
        ),
        st.integers(1, 4),
        days,
        st.integers(0, 200),
    ),
    st.builds(lambda n, party: approving(party, f"A{n}"), st.integers(1, 4), st.sampled_from(list(Party))),
    st.builds(lambda n, on: starting(f"A{n}", on=on, at=noon(date(2026, 1, 1))), st.integers(1, 4), days),
    st.builds(lambda n, end: extending(f"trial-A{n}", end_on=end), st.integers(1, 4), days),
    st.builds(lambda n, on: closing(f"trial-A{n}", on=on, at=noon(date(2026, 1, 1))), st.integers(1, 4), days),
    st.builds(lambda n: annulling(f"A{n}"), st.integers(1, 4)),
    st.builds(
        lambda n, start_on, length: rewriting(n, start_on, start_on + timedelta(days=length)),
        st.integers(1, 4),
        days,
        st.integers(0, 200),
    ),
    st.builds(
        lambda n, end: Shorten(
            at=noon(date(2025, 1, 22)),
            trial_id=f"trial-A{n}",
            acting=Party.COUNSELLOR,
            actor="the counsellor",
            end_on=end,
            reason=ShortenReason.EMPLOYER_REQUEST,
            note=None,
        ),
        st.integers(1, 4),
        days,
    ),
)


@generated(moves=st.lists(moves, max_size=60))
@settings(max_examples=200, deadline=None)
def test_the_days_of_one_person_are_never_taken_twice_whatever_is_tried(moves: list[Command]) -> None:
    person = after([opened(f"M{n}", org_number=f"org-{n}") for n in range(1, 5)]).state
    concluded = [command for n in range(1, 5) for command in approvals(f"A{n}")]
    for move in [*moves[:10], *concluded, *moves[10:]]:
        person = _tried(person, move)
    taken = [agreement.period for agreement in person.agreements() if agreement.period is not None]
    for index, (begins, ends) in enumerate(taken):
        assert all(ends < other[0] or other[1] < begins for other in taken[index + 1 :])
    for agreement in person.agreements():
        assert (agreement.trial is not None) == (agreement.stage in (Stage.STARTED, Stage.CLOSED))


def _tried(person: Person, move: Command) -> Person:
    try:
        events = decide(move, person)
    except Refused:
        return person
    for event in events:
        person = evolve(person, event)
    return person
