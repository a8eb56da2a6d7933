"""What each reader is shown of needs, matches and candidates.

Invariant: pure; an employer and a candidate never see the score, and a person who is no longer available is shown to no
employer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Protocol

from chassis.formats import Language
from chassis.projection import Document
from contracts.matching import Reason
from services.matching.domain.facts import CandidateFacts, NeedFacts
from services.matching.domain.ranking import Ranking, unavailable
from services.matching.domain.state import Stage
from services.matching.snapshots import need_now, short_profile, slot_state

IDS = ("match_id", "need_id", "slot_id", "candidate_id", "org_number")
_CONTENT = (
    "municipality",
    "occupation",
    "measure",
    "hours_per_week",
    "start_from",
    "start_to",
    "language",
    "licences",
    "certificates",
    "adaptations",
)
_PROGRESS = (
    "asked_on",
    "deadline",
    "accepted_on",
    "answered_by",
    "declined",
    "presented_on",
    "response",
    "interviews",
    "confirmed_on",
    "cancelled",
)
_FOR_EMPLOYERS = ("presented_on", "response", "interviews", "confirmed_on", "cancelled")
_FOR_COUNSELLORS = ("intermediary", "score", "rule_version", "matched_on", "reversed_on", "confirmed_by", *_PROGRESS)


class Sentences(Protocol):
    """The catalogues, as `chassis.texts.Texts` has them."""

    def __contains__(self, key: str) -> bool: ...
    def say(self, language: Language, key: str, **params: object) -> str: ...


def in_words(texts: Sentences, language: Language, kind: str, code: str) -> str:
    """The sentence of a code; the code itself where a newer writer's is not known here."""
    key = f"{kind}.{code}"
    return texts.say(language, key) if key in texts else code


def reasons_in_words(
    reasons: Iterable[Reason | Mapping[str, Any]], texts: Sentences, language: Language
) -> list[Document]:
    """Each reason with its points and its sentence."""
    plain = [reason.model_dump() if isinstance(reason, Reason) else dict(reason) for reason in reasons]
    return [{**each, "text": in_words(texts, language, "reason", each["code"])} for each in plain]


def need_shown(need_id: str, document: Document, facts: NeedFacts, today: date) -> Document:
    """A need with its clock, without its slots."""
    registered = need_now(document) or {}
    return {
        "need_id": need_id,
        "org_number": facts.org_number,
        "intermediary": facts.intermediary,
        "assigned_on": document.get("assigned", {}).get("on"),
        "assignments": document.get("assignments", []),
        "revised_on": document.get("revised", {}).get("revised_on"),
        **{name: registered[name] for name in _CONTENT},
        "registered_on": registered["registered_on"],
        "promise_date": registered["promise_date"],
        "days_left": (facts.promise_date - today).days,
        "slot_ids": list(facts.slot_ids),
    }


def slots_shown(document: Document, facts: NeedFacts, matches: Sequence[Document]) -> list[Document]:
    """The slots of a need with their state and live matches; the matches are those that the caller may see."""
    return [
        {
            "slot_id": slot_id,
            "state": slot_state(slot_id, document, matches),
            "matches": [
                {name: match[name] for name in ("match_id", "candidate_id", "stage")}
                for match in matches
                if match["slot_id"] == slot_id and match["stage"] != Stage.CANCELLED
            ],
        }
        for slot_id in facts.slot_ids
    ]


def match_for_counsellor(match: Document, need: Document | None, texts: Sentences, language: Language) -> Document:
    """Everything but what is sealed. `revised_since_asked`: the candidate answered to something else than is asked."""
    trial = match.get("trial", {})
    revised_on, asked_on = (need or {}).get("revised", {}).get("revised_on"), match.get("asked_on")
    return {
        "revised_since_asked": revised_on is not None and asked_on is not None and revised_on >= asked_on,
        **_some(match, (*IDS, "stage", *_FOR_COUNSELLORS)),
        "reasons": reasons_in_words(match.get("reasons", ()), texts, language),
        "started_on": trial.get("started_on", {}).get("data", {}).get("on"),
        "closed_on": trial.get("closed_on", {}).get("data", {}).get("on"),
    }


def match_for_employer(match: Document, person: Document | None, facts: CandidateFacts | None, today: date) -> Document:
    """A presented match: where it stands, and a short profile for as long as the person may be shown."""
    profile = short_profile(person) if facts is not None and may_be_shown(match, facts, today) else None
    return {**_some(match, (*IDS, "stage", *_FOR_EMPLOYERS)), "candidate": profile}


def may_be_shown(match: Mapping[str, Any], facts: CandidateFacts, today: date) -> bool:
    """Whether a person who said yes may still be shown in this match."""
    if match["stage"] == Stage.CANCELLED:
        return False
    # After the confirmation an assessment may run out; the person still said yes.
    agreed = match["stage"] == Stage.CONFIRMED and facts.consent and not facts.protected
    return agreed or not unavailable(facts, today)


def match_for_candidate(match: Document, need: Document | None) -> Document:
    """A person's own match, with what the work is: all that the need says of it, so that they know what they answer."""
    registered = need_now(need or {}) or {}
    shown = _some(match, (*IDS, "stage", *_PROGRESS))
    if shown["response"] is not None:
        # Why an employer said no is between employer and counsellor.
        shown["response"] = {name: shown["response"][name] for name in ("on", "response")}
    return {**shown, "work": {name: registered.get(name) for name in _CONTENT}}


def ranking_shown(
    ranking: Ranking,
    people: Mapping[str, Document],
    on_slot: Sequence[Document],
    texts: Sentences,
    language: Language,
) -> Document:
    """Ranked candidates with reasons, and the others with what stands against them.

    `on_slot`: all matches of the slot; who was tried before is shown with how that ended.
    """
    proposed = {match["candidate_id"]: match["_id"] for match in on_slot if match["stage"] != Stage.CANCELLED}
    earlier = {match["candidate_id"]: match["cancelled"] for match in on_slot if match["stage"] == Stage.CANCELLED}
    return {
        "items": [
            {
                "candidate_id": each.candidate_id,
                "rank": each.rank,
                "score": each.score,
                "reasons": reasons_in_words(each.reasons, texts, language),
                "intermediary": people[each.candidate_id].get("intermediary"),
                "profile": short_profile(people[each.candidate_id]),
                "match_id": proposed.get(each.candidate_id),
                "earlier": earlier.get(each.candidate_id),
            }
            for each in ranking.ranked
        ],
        "excluded": [
            {
                "candidate_id": each.candidate_id,
                "earlier": earlier.get(each.candidate_id),
                "guards": [{"code": guard, "text": in_words(texts, language, "guard", guard)} for guard in each.guards],
                "intermediary": people[each.candidate_id].get("intermediary"),
            }
            for each in ranking.excluded
        ],
    }


def next_step(match: Mapping[str, Any], today: date) -> str:
    """Who does what next, as a code of the catalogue (`next.<code>`)."""
    match Stage(match["stage"]):
        case Stage.PROPOSED:
            return "ask"
        case Stage.ASKED:
            return "ask_again" if match["deadline"] < today.isoformat() else "wait_for_candidate"
        case Stage.ACCEPTED:
            return "present"
        case Stage.PRESENTED:
            return "wait_for_employer" if match.get("response") is None else "confirm"
        case Stage.CONFIRMED:
            trial = match.get("trial", {})
            return "closed" if "closed_on" in trial else "at_work" if "started_on" in trial else "agree"
        case Stage.CANCELLED:
            return "ended"


def _some(match: Mapping[str, Any], names: Iterable[str]) -> Document:
    return {name: match.get(name) for name in names}


def steps_for(reader: str, match: Mapping[str, Any], today: date) -> tuple[str, ...]:
    """What a reader of a match can do now, the likeliest first."""
    stage = Stage(match["stage"])
    late = stage is Stage.ASKED and match["deadline"] < today.isoformat()
    match reader:
        case "candidate":
            if stage is Stage.ACCEPTED:
                return ("answer-reversal",)
            return ("answer",) if stage is Stage.ASKED and not late else ()
        case "employer":
            if stage is not Stage.PRESENTED:
                return ()
            return ("response", "interview", *_taken_back(match))
        case "counsellor":
            return (*_counsellors(stage, late, match), *(("cancellation",) if _can_end(stage, match) else ()))
        case _:
            return ()


def _counsellors(stage: Stage, late: bool, match: Mapping[str, Any]) -> tuple[str, ...]:
    match stage:
        case Stage.PROPOSED:
            return ("question",)
        case Stage.ASKED:
            return ("question",) if late else ("answer",)
        case Stage.ACCEPTED:
            return ("presentation", "answer-reversal")
        case Stage.PRESENTED:
            answered = () if match.get("response") is None else ("confirmation",)
            reversible = () if match.get("interviews") else ("presentation-reversal",)
            return (*answered, "interview", *_taken_back(match), *reversible)
        case Stage.CONFIRMED | Stage.CANCELLED:
            return ()


def _taken_back(match: Mapping[str, Any]) -> tuple[str, ...]:
    return () if match.get("response") is None else ("response-reversal",)


def _can_end(stage: Stage, match: Mapping[str, Any]) -> bool:
    return stage is not Stage.CANCELLED and "started_on" not in match.get("trial", {})
