"""The check of the chaos suite can fail: whatever is taken away, doubled, swapped or put in is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

import services.followup.views
import services.intake.views
import services.matching.views
import services.reporting.views
from contracts.registry import SOURCES, topic_of
from tests.chaos.checking import READS, findings
from tests.chaos.commands import Sent
from tests.chaos.evidence import LOGS, VIEWS, Evidence, Record, View

SOURCE, TOPIC = "dugnad/intake", "dugnad.intake.v1"
SERVED = {
    "intake": services.intake.views.PROJECTIONS,
    "matching": services.matching.views.PROJECTIONS,
    "followup": services.followup.views.PROJECTIONS,
    "reporting": services.reporting.views.PROJECTIONS,
}
AT = datetime(2025, 1, 13, 9, tzinfo=UTC)
NEEDS = ("A", "B")


def claim(number: int) -> str:
    return f"command:{number:064x}"


def whole() -> tuple[list[Sent], Evidence]:
    """Two needs, each registered and withdrawn, and a command that was refused: all of it is there, once."""
    evidence = Evidence(
        commits={source: [] for source in LOGS},
        pages={source: [] for source in LOGS},
        records={topic: [] for _, topic in LOGS.values()},
        views={f"{service}/{name}": View() for service, views in VIEWS.items() for name in views},
    )
    sent = [Sent(claim(9), "intake", "/needs", 422)]
    for number in range(4):
        need = NEEDS[number % 2]
        kind = "NeedRegistered.v2" if number < 2 else "NeedWithdrawn.v1"
        data = {"need_id": need, "slot_ids": [f"slot {need}"]}
        subject, key, position = f"need:{need}", f"need:{need}", number + 1
        event: dict[str, Any] = {"type": f"dugnad.{kind}", "subject": subject, "partitionkey": key, "data": data}
        claims = [claim(number), f"{subject}@{number // 2 + 1:08d}"]
        evidence.commits[SOURCE].append({"_id": f"commit {number}", "claims": claims, "events": [event]})
        page = {"_id": position, "next": position + 1, "at": AT, "commits": [{"id": f"commit {number}", "n": 1}]}
        evidence.pages[SOURCE].append(page)
        headers = {
            "ce_id": f"{SOURCE}#{position}",
            "ce_type": event["type"],
            "ce_subject": subject,
            "ce_source": SOURCE,
            "ce_sequence": f"{position:020d}",
        }
        evidence.records[TOPIC].append(Record(0, number, key, headers, data))
        sent.append(Sent(claim(number), "intake", "/needs", 201, {"position": position}))
    for view, documents in _documents().items():
        evidence.views[view].documents = documents
    for service, views in VIEWS.items():
        for name, sources in views.items():
            if "intake" in sources:
                evidence.views[f"{service}/{name}"].handled = {SOURCE: {1, 2, 3, 4}}
    return sent, evidence


def _documents() -> dict[str, dict[str, dict[str, Any]]]:
    at = {need: {f"{SOURCE} need:{need}": 3 + place} for place, need in enumerate(NEEDS)}
    events: dict[str, Any] = {
        need: {f"{SOURCE}#{1 + place}": {}, f"{SOURCE}#{3 + place}": {}} for place, need in enumerate(NEEDS)
    }
    return {
        "intake/needs": {need: {"at": at[need], "version": 2} for need in NEEDS},
        "matching/needs": {need: {"at": at[need]} for need in NEEDS},
        "followup/plans": {f"slot {need}": {"at": at[need]} for need in NEEDS},
        "reporting/placement": {f"slot {need}": {"at": at[need]} for need in NEEDS},
        "reporting/journey": {f"need:{need}": {"at": at[need], "events": events[need]} for need in NEEDS},
    }


def test_what_is_whole_is_found_whole() -> None:
    assert findings(*whole()) == []


def _without_record(sent: list[Sent], evidence: Evidence) -> None:
    del evidence.records[TOPIC][1]


def _record_twice(sent: list[Sent], evidence: Evidence) -> None:
    evidence.records[TOPIC].append(replace(evidence.records[TOPIC][0], offset=4))


def _records_swapped(sent: list[Sent], evidence: Evidence) -> None:
    records = evidence.records[TOPIC]
    records[0], records[2] = records[2], records[0]


def _record_changed(sent: list[Sent], evidence: Evidence) -> None:
    evidence.records[TOPIC][0] = replace(evidence.records[TOPIC][0], data={"need_id": "C"})


def _record_in_another_partition(sent: list[Sent], evidence: Evidence) -> None:
    evidence.records[TOPIC][2] = replace(evidence.records[TOPIC][2], partition=1)


def _record_from_nowhere(sent: list[Sent], evidence: Evidence) -> None:
    last = evidence.records[TOPIC][-1]
    headers = {**last.headers, "ce_sequence": f"{5:020d}", "ce_id": f"{SOURCE}#5"}
    evidence.records[TOPIC].append(replace(last, headers=headers))


def _without_commit(sent: list[Sent], evidence: Evidence) -> None:
    del evidence.commits[SOURCE][3]
    del evidence.pages[SOURCE][3]


def _commit_not_numbered(sent: list[Sent], evidence: Evidence) -> None:
    del evidence.pages[SOURCE][3]


def _commit_numbered_twice(sent: list[Sent], evidence: Evidence) -> None:
    evidence.pages[SOURCE].append({**evidence.pages[SOURCE][3], "_id": 5, "next": 6})


def _command_twice(sent: list[Sent], evidence: Evidence) -> None:
    commit = copy.deepcopy(evidence.commits[SOURCE][3])
    evidence.commits[SOURCE].append({**commit, "_id": "commit 4", "claims": [claim(3), "need:B@00000003"]})
    page = {"_id": 5, "next": 6, "at": AT, "commits": [{"id": "commit 4", "n": 1}]}
    evidence.pages[SOURCE].append(page)


def _hole(sent: list[Sent], evidence: Evidence) -> None:
    evidence.pages[SOURCE][3] |= {"_id": 5, "next": 6}


def _versions_out_of_order(sent: list[Sent], evidence: Evidence) -> None:
    pages = evidence.pages[SOURCE]
    pages[0]["commits"], pages[2]["commits"] = pages[2]["commits"], pages[0]["commits"]


def _refused_and_stored(sent: list[Sent], evidence: Evidence) -> None:
    sent[-1].status = 409


def _stored_unasked(sent: list[Sent], evidence: Evidence) -> None:
    del sent[-1]


def _never_answered(sent: list[Sent], evidence: Evidence) -> None:
    sent[0].status = None


def _told_another_position(sent: list[Sent], evidence: Evidence) -> None:
    sent[-1].answer["position"] = 3


def _folded_twice(sent: list[Sent], evidence: Evidence) -> None:
    evidence.views["intake/needs"].documents["A"]["version"] = 3


def _not_folded(sent: list[Sent], evidence: Evidence) -> None:
    evidence.views["matching/needs"].documents["A"]["at"] = {f"{SOURCE} need:A": 1}


def _document_gone(sent: list[Sent], evidence: Evidence) -> None:
    del evidence.views["reporting/placement"].documents["slot A"]


def _document_from_nowhere(sent: list[Sent], evidence: Evidence) -> None:
    evidence.views["reporting/placement"].documents["slot C"] = {"at": {}}


def _position_not_handled(sent: list[Sent], evidence: Evidence) -> None:
    evidence.views["reporting/workforce"].handled[SOURCE].discard(2)


def _parked(sent: list[Sent], evidence: Evidence) -> None:
    evidence.views["matching/pool"].parked = 1


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (_without_record, "LOST: dugnad/intake#2 is not on dugnad.intake.v1"),
        (_records_swapped, "OUT OF ORDER: dugnad/intake#1 comes after 3 of its key"),
        (_record_changed, "dugnad/intake#1 is another one on dugnad.intake.v1 than in the log"),
        (_record_in_another_partition, "dugnad/intake#3: its key is in two partitions"),
        (_record_from_nowhere, "FROM NOWHERE: dugnad/intake#5 is on dugnad.intake.v1 and in no log"),
        (_without_commit, "LOST: POST intake/needs, answered 201, is stored 0 times"),
        (_commit_not_numbered, "commit 3 is not in the ledger"),
        (_commit_numbered_twice, "commit 3 has 2 places"),
        (_command_twice, "DOUBLED: POST intake/needs, answered 201, is stored 2 times"),
        (_hole, "position 4 is missing in the ledger"),
        (_versions_out_of_order, "version 00000002 of need:A at 1 follows 0"),
        (_refused_and_stored, "REFUSED, BUT STORED: POST intake/needs, answered 409"),
        (_stored_unasked, "FROM NOWHERE: a commit under command:"),
        (_never_answered, "UNKNOWN: POST intake/needs"),
        (_told_another_position, "was told position 3, it has 4"),
        (_folded_twice, "DOUBLED OR LOST: intake/needs A shows 3, its events are 2"),
        (_not_folded, "LOST: matching/needs A has folded up to"),
        (_document_gone, "LOST: reporting/placement has no slot A"),
        (_document_from_nowhere, "FROM NOWHERE: reporting/placement has slot C"),
        (_position_not_handled, "LOST: reporting/workforce has not handled 1 positions of dugnad/intake"),
        (_parked, "1 events of matching/pool are parked"),
    ],
    ids=lambda value: value.__name__.strip("_").replace("_", " ") if callable(value) else "",
)
def test_each_harm_is_named(harm: Callable[[list[Sent], Evidence], None], named: str) -> None:
    sent, evidence = whole()
    harm(sent, evidence)
    found = findings(sent, evidence)
    assert any(named in line for line in found), found


def test_a_record_that_came_again_is_no_fault() -> None:
    """At least once is what a topic promises; readers drop what they have."""
    sent, evidence = whole()
    _record_twice(sent, evidence)
    assert findings(sent, evidence) == []


def test_the_check_knows_every_view_its_sources_and_what_it_reads() -> None:
    """Written by hand, past the code; that is no reason to forget a view that has come since."""
    checked = {f"{service}/{name}": set(sources) for service, views in VIEWS.items() for name, sources in views.items()}
    served = {f"{service}/{each.name}": each for service, projections in SERVED.items() for each in projections}
    topics = {source: topic_of(f"dugnad/{source}") for sources in checked.values() for source in sources}
    assert {view: {topics[source] for source in sources} for view, sources in checked.items()} == {
        view: set(each.topics) for view, each in served.items()
    }
    known = {event.__name__ for events in SOURCES.values() for event in events}
    read = {view: known if names == "everything" else set(names.split()) for view, (_, names) in READS.items()}
    assert read == {view: {event.__name__ for event in each.reads} for view, each in served.items()}
