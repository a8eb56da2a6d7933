"""Whether what there is is what was answered: plain loops over the evidence, no code of the product.

Invariant: each finding is one line that names what is lost, doubled, out of order or from nowhere.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.chaos.commands import Sent
from tests.chaos.evidence import LOGS, VIEWS, Evidence

_NEED = "NeedRegistered NeedRevised NeedWithdrawn NeedExpired"
_CANDIDATE = """CandidateRegistered CandidateMapped QualificationAdded CandidateAssessed ReadinessRevoked ConsentGiven
    ConsentWithdrawn AddressProtectionChanged CandidateHandedOver CandidateMerged CandidateErased"""
_MATCH = """CandidateMatched CandidateAsked CandidateAccepted CandidateDeclined CandidatePresented PresentationReversed
    EmployerResponded InterviewHeld MatchConfirmed MatchCancelled"""
_AGREEMENT = """AgreementDrafted AgreementConcluded AgreementAnnulled NoShowReported TrialStarted TrialExtended
    TrialClosed"""
_LATER = """AnswerReversed ResponseReversed AgreementChanged AgreementExpired CheckInMissed StartReversed
    CheckInReversed TrialShortened OutcomeReversed EmploymentConfirmed"""
_TASKS = "TaskAssigned TaskCompleted"
_OF_CASES = """AgreementApproved ApprovalRevoked AgreementChanged AgreementExpiring AgreementExpired CaseTaken
    StartDisputed StartReversed CheckInHeld CheckInReversed CheckInMissed VoiceGiven ChangeProposed ChangeAccepted
    ChangeDeclined TrialShortened OutcomeReversed ClosingTalkHeld CertificateIssued EmploymentConfirmed"""
_PLAN = "PlanMade PlanTaskCompleted DelayReported DeadlineApproaching DeadlineMissed PlanEnded"
_OF_PLANS = """CandidateMatched CandidateAsked CandidateDeclined CandidatePresented PresentationReversed
    EmployerResponded ResponseReversed InterviewHeld MatchConfirmed MatchCancelled AgreementChanged AgreementConcluded
    AgreementAnnulled AgreementExpired NoShowReported TrialStarted"""

READS: Mapping[str, tuple[str, str]] = {
    "intake/needs": ("need_id", f"{_NEED} NeedTextErased"),
    "intake/candidates": ("candidate_id", _CANDIDATE),
    "intake/places": (
        "need_id",
        "NeedAssigned MatchConfirmed MatchCancelled TrialStarted TrialClosed NoShowReported",
    ),
    "intake/erased": ("candidate_id", "CandidateErased NeedTextErased"),
    "matching/needs": ("need_id", f"{_NEED} NeedAssigned"),
    "matching/pool": (
        "candidate_id",
        f"{_CANDIDATE} CandidateMatched MatchConfirmed MatchCancelled TrialStarted TrialClosed",
    ),
    "matching/matches": ("match_id", f"{_MATCH} AnswerReversed ResponseReversed TrialStarted TrialClosed"),
    "followup/cases": (
        "match_id",
        f"MatchConfirmed MatchCancelled {_TASKS} {_AGREEMENT} {_OF_CASES}",
    ),
    "followup/plans": ("slot_id", f"NeedRegistered NeedWithdrawn NeedExpired {_OF_PLANS} {_PLAN}"),
    "followup/assignments": ("need_id", "NeedAssigned"),
    "reporting/placement": (
        "slot_id",
        f"NeedRegistered NeedWithdrawn {_MATCH} {_AGREEMENT} {_LATER} DelayReported CheckInHeld",
    ),
    "reporting/needs": ("need_id", "NeedAssigned"),
    "reporting/workforce": ("org_number-year", "WorkforceReported"),
    "reporting/persons": (
        "candidate_id",
        "BackgroundDeclared BackgroundWithdrawn AddressProtectionChanged CandidateErased CandidateMatched TrialStarted",
    ),
    "reporting/journey": ("partition key", "everything"),
}
"""Each view: what its documents are keyed by, and the events that it reads; written by hand, past the code."""
_TYPE = re.compile(r"dugnad\.(\w+)\.v\d+")
_CLIENTS = re.compile(r"command:[0-9a-f]{64}")
_SUBJECT_VERSION = re.compile(r"(.+)@(\d{8})")


class Event(NamedTuple):
    """An event as log and ledger together say it."""

    source: str
    position: int
    type: str
    subject: str
    key: str
    data: Mapping[str, Any]

    @property
    def name(self) -> str:
        match = _TYPE.fullmatch(self.type)
        assert match is not None, self.type
        return match[1]


def findings(sent: Sequence[Sent], evidence: Evidence) -> list[str]:
    """What is wrong; empty where nothing is lost, doubled, out of order, or from nowhere."""
    found = [*_commands(sent, evidence)]
    events: list[Event] = []
    for source in evidence.commits:
        found.extend(_ledger(source, evidence))
        events.extend(_numbered(source, evidence))
    for topic in evidence.records:
        found.extend(_topic(topic, events, evidence))
    for view in evidence.views:
        found.extend(_view(view, events, evidence))
        found.extend(_progress(view, events, evidence))
    if evidence.parked_reactions:
        found.append(f"{evidence.parked_reactions} events are parked by reactions")
    return found


def _commands(sent: Sequence[Sent], evidence: Evidence) -> Iterator[str]:
    """2xx: in one log once; 4xx: nowhere; and nothing in a log that nobody asked for."""
    stored = Counter(claim for log in evidence.commits.values() for commit in log for claim in commit["claims"])
    for each in sent:
        times, what = stored[each.claim], f"POST {each.service}{each.route}, answered {each.status}"
        if each.status is None:
            yield f"UNKNOWN: {what}"
        elif each.accepted and times != 1:
            yield f"{'LOST' if times == 0 else 'DOUBLED'}: {what}, is stored {times} times"
        elif not each.accepted and times:
            yield f"REFUSED, BUT STORED: {what}"
    asked = {each.claim for each in sent}
    for claim in stored:
        if _CLIENTS.fullmatch(claim) and claim not in asked:
            yield f"FROM NOWHERE: a commit under {claim}"
    places = {commit["_id"]: place for source in evidence.commits for commit, place in _places(source, evidence)}
    by_claim = {claim: commit for log in evidence.commits.values() for commit in log for claim in commit["claims"]}
    for each in sent:
        position = each.answer.get("position") if each.accepted else None
        commit = by_claim.get(each.claim)
        if position is not None and commit is not None and places.get(commit["_id"]) != position:
            yield f"POST {each.service}{each.route} was told position {position}, it has {places.get(commit['_id'])}"


def _places(source: str, evidence: Evidence) -> Iterator[tuple[dict[str, Any], int]]:
    """Each numbered commit with the position of its last event."""
    commits = {commit["_id"]: commit for commit in evidence.commits[source]}
    for page in evidence.pages[source]:
        position = page["_id"] - 1
        for each in page["commits"]:
            position += each["n"]
            if each["id"] in commits:
                yield commits[each["id"]], position


def _ledger(source: str, evidence: Evidence) -> Iterator[str]:
    """Dense from 1, each commit once, all of them, and versions of a subject in their order."""
    expected, last = 1, None
    numbered: Counter[str] = Counter()
    for page in evidence.pages[source]:
        if page["_id"] != expected:
            yield f"{source}: position {expected} is missing in the ledger; a page begins at {page['_id']}"
        expected = page["_id"] + sum(each["n"] for each in page["commits"])
        if page["next"] != expected:
            yield f"{source}: the page at {page['_id']} says {page['next']} and holds up to {expected}"
        expected = page["next"]
        if last is not None and page["at"] < last:
            yield f"{source}: the recorded time goes back at {page['_id']}"
        last = page["at"]
        numbered.update(each["id"] for each in page["commits"])
    ids = Counter(commit["_id"] for commit in evidence.commits[source])
    yield from (f"{source}: commit {each} has {times} places" for each, times in numbered.items() if times > 1)
    yield from (f"{source}: commit {each} is not in the ledger" for each in ids.keys() - numbered.keys())
    yield from (f"{source}: the ledger has a commit {each} that is in no log" for each in numbered.keys() - ids.keys())
    claims = Counter(claim for commit in evidence.commits[source] for claim in commit["claims"])
    yield from (f"{source}: {claim} is claimed {times} times" for claim, times in claims.items() if times > 1)
    versions: dict[str, int] = defaultdict(int)
    for commit, position in _places(source, evidence):
        for claim in commit["claims"]:
            if (match := _SUBJECT_VERSION.fullmatch(claim)) is None:
                continue
            if int(match[2]) != versions[match[1]] + 1:
                yield f"{source}: version {match[2]} of {match[1]} at {position} follows {versions[match[1]]}"
            versions[match[1]] = int(match[2])


def _numbered(source: str, evidence: Evidence) -> Iterator[Event]:
    for commit, last in _places(source, evidence):
        first = last - len(commit["events"]) + 1
        for position, each in enumerate(commit["events"], first):
            yield Event(source, position, each["type"], each["subject"], each["partitionkey"], each["data"])


def _topic(topic: str, events: Sequence[Event], evidence: Evidence) -> Iterator[str]:
    """Everything, as the log has it; per key in one partition, and first seen in order. What came again is the same."""
    sources = {source for source, (_, of) in LOGS.items() if of == topic}
    expected = {(each.source, each.position): each for each in events if each.source in sources}
    seen: dict[tuple[str, int], int] = {}
    partitions: dict[str, int] = {}
    last: dict[str, int] = defaultdict(int)
    for record in evidence.records[topic]:
        place = (record.source, record.position)
        name = f"{record.source}#{record.position}"
        event = expected.get(place)
        if event is None:
            yield f"FROM NOWHERE: {name} is on {topic} and in no log"
            continue
        told = tuple(record.headers[each] for each in ("ce_id", "ce_type", "ce_subject"))
        if (*told, record.key, record.data) != (name, event.type, event.subject, event.key, event.data):
            yield f"{name} is another one on {topic} than in the log"
        if partitions.setdefault(record.key, record.partition) != record.partition:
            yield f"{name}: its key is in two partitions"
        if place not in seen:
            if record.position < last[record.key]:
                yield f"OUT OF ORDER: {name} comes after {last[record.key]} of its key on {topic}"
            last[record.key] = record.position
        seen[place] = seen.get(place, 0) + 1
    yield from (f"LOST: {source}#{position} is not on {topic}" for source, position in sorted(expected.keys() - seen))


def repeats(evidence: Evidence) -> int:
    """How many records are on the topics more than once: what readers had to drop."""
    return sum(
        len(records) - len({(each.source, each.position) for each in records}) for records in evidence.records.values()
    )


def _keys(view: str, event: Event) -> list[str]:
    field, names = READS[view]
    if names != "everything" and event.name not in names.split():
        return []
    if field == "partition key":
        return [event.key]
    if field == "org_number-year":
        return [f"{event.data['org_number']}-{event.data['year']}"]
    if field == "slot_id" and "slot_ids" in event.data:
        return list(event.data["slot_ids"])
    return [event.data[field]]


def _view(view: str, events: Sequence[Event], evidence: Evidence) -> Iterator[str]:
    """Each document has folded each of its subjects up to the last event, and counts every event once."""
    folded: dict[str, list[Event]] = defaultdict(list)
    service, _, name = view.partition("/")
    sources = {f"dugnad/{each}" for each in VIEWS[service][name]}
    for event in events:
        for key in _keys(view, event) if event.source in sources else ():
            folded[key].append(event)
    documents = evidence.views[view].documents
    yield from (f"LOST: {view} has no {key}" for key in sorted(folded.keys() - documents.keys()))
    yield from (f"FROM NOWHERE: {view} has {key}" for key in sorted(documents.keys() - folded.keys()))
    for key in folded.keys() & documents.keys():
        at: dict[str, int] = {}
        for event in folded[key]:
            at[f"{event.source} {event.subject}"] = event.position
        if documents[key]["at"] != at:
            yield f"LOST: {view} {key} has folded up to {documents[key]['at']}, its events go to {at}"
        counted, wanted = _counted(view, documents[key], folded[key])
        if counted != wanted:
            yield f"DOUBLED OR LOST: {view} {key} shows {counted}, its events are {wanted}"
    if evidence.views[view].parked:
        yield f"{evidence.views[view].parked} events of {view} are parked"


def _counted(view: str, document: Mapping[str, Any], events: Sequence[Event]) -> tuple[Any, Any]:
    """What a document says of how often and in which order it folded, and what it should say."""
    match view:
        case "intake/needs":
            return document["version"], len(events)
        case "intake/candidates":
            added = [each.data["qualification_id"] for each in events if each.name == "QualificationAdded"]
            return [each["qualification_id"] for each in document["qualifications"]], added
        case "followup/cases":
            shown = [(each.source, each.position) for each in events if each.name not in _TASKS.split()]
            return sorted((each["source"], each["position"]) for each in document.get("history", [])), sorted(shown)
        case "followup/plans":
            completed = sorted(each.data["task"] for each in events if each.name == "PlanTaskCompleted")
            delays = sum(each.name == "DelayReported" for each in events)
            return (sorted(document.get("done", {})), len(document.get("delays", []))), (completed, delays)
        case "intake/places":
            matched = {each.data["match_id"] for each in events if each.name in ("MatchConfirmed", "MatchCancelled")}
            return sorted(document["matches"]), sorted(matched)
        case "reporting/workforce":
            return document["head_count"], events[-1].data["head_count"]
        case "reporting/persons":
            declared = [each.position for each in events if each.name.startswith("Background")]
            return [each["position"] for each in document.get("declarations", [])], declared
        case "reporting/journey":
            return sorted(document["events"]), sorted(f"{each.source}#{each.position}" for each in events)
        case _:
            return None, None


def _progress(view: str, events: Sequence[Event], evidence: Evidence) -> Iterator[str]:
    """Every position of every source that it reads, and none besides."""
    service, _, name = view.partition("/")
    for source in (f"dugnad/{each}" for each in VIEWS[service][name]):
        wanted = {each.position for each in events if each.source == source}
        handled = evidence.views[view].handled.get(source, set())
        if wanted - handled:
            yield f"LOST: {view} has not handled {len(wanted - handled)} positions of {source}"
        if handled - wanted:
            yield f"FROM NOWHERE: {view} says that it handled positions of {source} that there are not"
