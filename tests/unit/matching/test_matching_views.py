"""What matching has heard: the same documents whatever the order between subjects and topics, and however often."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from chassis.projection import Document, Record, fold_all
from contracts import followup, intake, matching
from contracts.event import Event
from contracts.intake import (
    AddressProtectionChanged,
    CandidateAssessed,
    CandidateErased,
    CandidateHandedOver,
    CandidateMapped,
    CandidateMerged,
    CandidateRegistered,
    ConsentGiven,
    ConsentWithdrawn,
    Experience,
    NeedExpired,
    NeedRegistered,
    NeedRevised,
    NeedWithdrawn,
    QualificationAdded,
    ReadinessRevoked,
)
from contracts.matching import AnswerReversed, NeedAssigned, PresentationReversed, ResponseReversed
from services.matching.domain.columns import Columns
from services.matching.reactions import REACTIONS
from services.matching.snapshots import (
    candidate_facts,
    is_known,
    need_facts,
    placed,
    short_profile,
    slot_state,
    trial_events,
)
from services.matching.views import MATCHES, NEEDS, POOL, PROJECTIONS, place_in
from tests.gwt import arrivals, folded, records
from tests.unit.matching.matching_facts import (
    NEED,
    ORG,
    TODAY,
    about,
    accepted,
    answered,
    closed,
    confirmed,
    interviewed,
    presented,
    proposed,
    started,
    the_end,
    told,
)

REGISTERED = NeedRegistered(
    need_id="N1",
    org_number=ORG,
    municipality="3312",
    occupation="5223",
    slot_ids=("S1", "S2"),
    intermediary="refugee_service",
    measure="work_training",
    hours_per_week=37.5,
    language=NEED.language,
    registered_on=date(2025, 1, 13),
    promise_date=date(2025, 2, 10),
)
ASSIGNED = NeedAssigned(need_id="N1", org_number=ORG, intermediary="nav", assigned_on=TODAY)
WITHDRAWN = NeedWithdrawn(need_id="N1", org_number=ORG, slot_ids=("S2",), reason="no_longer_needed", withdrawn_on=TODAY)


def person(name: str = "C1") -> list[Event]:
    return [
        CandidateRegistered(candidate_id=name, intermediary="refugee_service", registered_on=date(2025, 1, 2)),
        CandidateMapped(
            candidate_id=name,
            mapped_on=date(2025, 1, 3),
            municipality="3312",
            experience=(Experience(occupation="5223", months=30),),
            wished_occupations=("5223",),
            hours_per_week=37.5,
        ),
        QualificationAdded(
            candidate_id=name,
            qualification_id="Q1",
            kind="course",
            occupation="5223",
            started_on=date(2024, 9, 1),
            completed_on=date(2024, 11, 30),
        ),
        CandidateAssessed(candidate_id=name, ready=True, assessed_on=date(2025, 1, 6), valid_until=date(2025, 7, 1)),
        ConsentGiven(candidate_id=name, scope="matching", given_on=date(2025, 1, 6)),
    ]


def pool(*parts: list[Record]) -> Document:
    return folded(POOL, *parts)["C1"]


def test_a_need_is_with_whom_the_employer_turned_to_until_it_is_assigned() -> None:
    documents = folded(NEEDS, records(intake.SOURCE, [REGISTERED]))
    facts = need_facts("N1", documents["N1"])
    assert facts == NEED
    later = folded(NEEDS, records(intake.SOURCE, [REGISTERED]), records(matching.SOURCE, [ASSIGNED]))
    facts = need_facts("N1", later["N1"])
    assert facts is not None
    assert facts.intermediary == "nav"


def test_a_need_of_which_only_the_assignment_is_heard_is_not_shown() -> None:
    documents = folded(NEEDS, records(matching.SOURCE, [ASSIGNED]))
    assert need_facts("N1", documents["N1"]) is None


def test_withdrawn_slots_are_known() -> None:
    document = folded(NEEDS, records(intake.SOURCE, [REGISTERED, WITHDRAWN]))["N1"]
    facts = need_facts("N1", document)
    assert facts is not None
    assert facts.withdrawn_slots == {"S2"}
    matches = [{"slot_id": "S1", "stage": "cancelled"}]
    assert [slot_state(slot_id, document, matches) for slot_id in ("S1", "S2")] == ["open", "withdrawn"]
    assert slot_state("S1", document, [{"slot_id": "S1", "stage": "asked"}]) == "in_progress"
    assert slot_state("S2", document, [{"slot_id": "S2", "stage": "confirmed"}]) == "filled"


def test_a_registered_mapped_assessed_and_consenting_person_is_ready() -> None:
    facts = candidate_facts("C1", pool(records(intake.SOURCE, person())))
    assert (facts.ready, facts.consent, facts.protected, facts.placed) == (True, True, False, False)
    assert facts.valid_until == date(2025, 7, 1)
    assert [practice.occupation for practice in facts.qualifications] == ["5223"]


def test_nobody_is_ready_by_default() -> None:
    facts = candidate_facts("C1", pool(records(intake.SOURCE, person()[:1])))
    assert (facts.ready, facts.consent) == (False, False)
    unmapped = [event for event in person() if not isinstance(event, CandidateMapped)]
    assert not candidate_facts("C1", pool(records(intake.SOURCE, unmapped))).ready


def test_what_is_revoked_withdrawn_or_protected_counts() -> None:
    revoked = ReadinessRevoked(candidate_id="C1", reason="other")
    assert not candidate_facts("C1", pool(records(intake.SOURCE, [*person(), revoked]))).ready
    withdrawn = ConsentWithdrawn(candidate_id="C1", scope="matching", withdrawn_on=TODAY)
    assert not candidate_facts("C1", pool(records(intake.SOURCE, [*person(), withdrawn]))).consent
    other = ConsentWithdrawn(candidate_id="C1", scope="something else", withdrawn_on=TODAY)
    assert candidate_facts("C1", pool(records(intake.SOURCE, [*person(), other]))).consent
    protected = AddressProtectionChanged(candidate_id="C1", protected=True)
    assert candidate_facts("C1", pool(records(intake.SOURCE, [*person(), protected]))).protected


def test_a_confirmed_person_is_placed_until_the_trial_closes_or_the_match_ends() -> None:
    known = records(intake.SOURCE, person())
    assert not placed(pool(known, records(matching.SOURCE, interviewed())))
    assert placed(pool(known, records(matching.SOURCE, confirmed())))
    assert not placed(pool(known, records(matching.SOURCE, told(confirmed(), the_end("no_show")))))
    trial: list[Event] = [started()]
    assert placed(pool(known, records(matching.SOURCE, confirmed()), records(followup.SOURCE, trial)))
    trial.append(closed())
    assert not placed(pool(known, records(matching.SOURCE, confirmed()), records(followup.SOURCE, trial)))


def test_a_person_in_a_trial_is_placed_though_the_match_has_ended_or_has_not_been_heard_of() -> None:
    trial = records(followup.SOURCE, [started()])
    assert placed(pool(trial))
    assert placed(pool(records(matching.SOURCE, told(confirmed(), the_end("other"))), trial))


def test_a_match_shows_how_far_it_has_come() -> None:
    document = folded(MATCHES, records(matching.SOURCE, confirmed()))["M1"]
    assert (document["stage"], document["confirmed_on"], document["interviews"]) == (
        "confirmed",
        "2025-01-20",
        ["2025-01-18"],
    )


def test_a_reversed_presentation_leaves_nothing_of_itself() -> None:
    reversal = PresentationReversed(**about(), reversed_on=TODAY)
    document = folded(MATCHES, records(matching.SOURCE, told(interviewed(), reversal)))["M1"]
    assert (document["stage"], document["presented_on"], document["response"]) == ("accepted", None, None)
    assert (document["interviews"], document["reversed_on"]) == ([], "2025-01-20")


def test_the_events_of_a_trial_come_back_as_they_were() -> None:
    document = folded(MATCHES, records(followup.SOURCE, [started(), closed()]))["M1"]
    assert [event.data() for event in trial_events(document)] == [started().data(), closed().data()]
    assert trial_events(None) == ()


def test_whoever_has_not_consented_is_met_by_their_own_intermediary_alone() -> None:
    columns = Columns()
    columns.put(candidate_facts("C1", pool(records(intake.SOURCE, person()[:-1]))))
    assert columns.listed_for("refugee_service").tolist() == [True]
    assert columns.listed_for("nav").tolist() == [False]
    columns.put(candidate_facts("C1", pool(records(intake.SOURCE, person()))))
    assert columns.listed_for("nav").tolist() == [True]


def test_the_short_profile_says_competence_and_nothing_that_identifies() -> None:
    profile = short_profile(pool(records(intake.SOURCE, person())))
    assert set(profile) == {
        "language",
        "experience",
        "hours_per_week",
        "available_from",
        "licences",
        "certificates",
        "skills",
        "qualifications",
    }
    assert profile["qualifications"] == [{"kind": "course", "occupation": "5223", "completed_on": "2024-11-30"}]


def test_background_is_read_by_no_projection_and_no_reaction() -> None:
    topics = {topic for each in (*PROJECTIONS, *REACTIONS) for topic in each.topics}
    assert intake.BACKGROUND_TOPIC not in topics
    assert topics == {intake.TOPIC, matching.TOPIC, followup.TOPIC}
    kinds = {kind.__name__ for each in PROJECTIONS for kind in each.reads}
    kinds |= {kind.__name__ for each in REACTIONS for kind in each.on}
    assert not {kind for kind in kinds if kind.startswith("Background")}


REVISED = NeedRevised(
    need_id="N1",
    org_number=ORG,
    revised_on=TODAY,
    occupation="5120",
    hours_per_week=20,
    licences=("B",),
    start_to=TODAY,
)


def test_a_revised_need_asks_for_what_it_asks_for_now_and_keeps_its_clock() -> None:
    facts = need_facts("N1", folded(NEEDS, records(intake.SOURCE, [REGISTERED, REVISED]))["N1"])
    assert facts is not None
    assert (facts.occupation, facts.hours_per_week, facts.licences, facts.start_to) == ("5120", 20, ("B",), TODAY)
    assert (facts.municipality, facts.promise_date, facts.slot_ids) == ("3312", date(2025, 2, 10), ("S1", "S2"))


def test_expired_slots_are_known_and_what_is_filled_stays_filled() -> None:
    expired = NeedExpired(need_id="N1", org_number=ORG, slot_ids=("S1", "S2"), expired_on=TODAY)
    document = folded(NEEDS, records(intake.SOURCE, [REGISTERED, expired]))["N1"]
    facts = need_facts("N1", document)
    assert facts is not None
    assert facts.expired_slots == {"S1", "S2"}
    assert slot_state("S1", document, []) == "expired"
    assert slot_state("S1", document, [{"slot_id": "S1", "stage": "confirmed"}]) == "filled"


def test_every_handover_of_a_need_is_remembered() -> None:
    first = NeedAssigned(need_id="N1", org_number=ORG, intermediary="refugee_service", assigned_on=TODAY)
    document = folded(NEEDS, records(matching.SOURCE, [first, ASSIGNED]))["N1"]
    assert [step["intermediary"] for step in document["assignments"]] == ["refugee_service", "nav"]


def test_a_candidate_who_was_handed_over_belongs_to_the_other_intermediary() -> None:
    over = CandidateHandedOver(
        candidate_id="C1", from_intermediary="refugee_service", to_intermediary="nav", handed_over_on=TODAY
    )
    assert candidate_facts("C1", pool(records(intake.SOURCE, [*person(), over]))).intermediary == "nav"


def test_a_registration_that_was_merged_into_another_leaves_the_pool_and_still_holds_the_person() -> None:
    merged = CandidateMerged(candidate_id="C1", merged_into="C2", merged_on=TODAY)
    heard = records(intake.SOURCE, [*person("C1"), *person("C2"), merged])
    documents = folded(POOL, heard, records(matching.SOURCE, confirmed()))
    assert not is_known(documents["C1"])
    assert is_known(documents["C2"])
    assert not candidate_facts("C1", documents["C1"]).ready
    assert documents["C2"]["absorbed"] == ["C1"]
    facts = candidate_facts("C2", documents["C2"], {"C1": documents["C1"]})
    assert (facts.ready, facts.placed, facts.absorbed) == (True, True, ("C1",))


def test_nothing_is_left_of_whoever_was_erased_whatever_comes_later() -> None:
    heard = records(intake.SOURCE, [*person(), CandidateErased(candidate_id="C1", erased_on=TODAY)])
    document = pool(heard, records(matching.SOURCE, confirmed()))
    assert set(document) == {"erased", "last"}
    assert not is_known(document)
    facts = candidate_facts("C1", document)
    assert (facts.ready, facts.consent) == (False, False)


def test_a_log_that_was_continued_goes_on_counting_upwards() -> None:
    assert place_in("dugnad/intake", 5) < place_in("dugnad/intake", 6) < place_in("dugnad/intake~2", 1)
    assert place_in("dugnad/intake~2", 1)[0] == "intake"


def test_answers_that_were_taken_back_leave_nothing_of_themselves() -> None:
    back = AnswerReversed(**about(), reversed_on=TODAY, reversed_by="counsellor")
    document = folded(MATCHES, records(matching.SOURCE, told(accepted(), back)))["M1"]
    assert (document["stage"], document["accepted_on"], document["answered_by"]) == ("asked", None, None)
    unsaid = ResponseReversed(**about(), reversed_on=TODAY, reversed_by="employer")
    document = folded(MATCHES, records(matching.SOURCE, told(answered(), unsaid)))["M1"]
    assert (document["stage"], document["response"]) == ("presented", None)


ALL = [
    *records(
        intake.SOURCE,
        [
            REGISTERED,
            *person("C1"),
            *person("C2"),
            *person("C3"),
            WITHDRAWN,
            REVISED,
            CandidateMerged(candidate_id="C3", merged_into="C2", merged_on=TODAY),
            CandidateErased(candidate_id="C3", erased_on=TODAY),
        ],
    ),
    *records(
        matching.SOURCE,
        told(ASSIGNED, confirmed("M1", "S1", "C1"), presented("M2", "S1", "C2"), the_end("other", "M2", "S1", "C2")),
    ),
    *records(matching.SOURCE, told(proposed("M3", "S2", "C2")), first=50),
    *records(followup.SOURCE, [started(), closed()]),
]


@given(st.data())
def test_any_order_between_subjects_and_any_duplicates_give_the_same_documents(data: st.DataObject) -> None:
    arrived = data.draw(arrivals(ALL))
    for projection in PROJECTIONS:
        assert fold_all(projection, arrived) == fold_all(projection, ALL)
