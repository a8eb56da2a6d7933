"""The load: employers, counsellors and candidates at work, until it is over.

Invariant: everything is chosen by one seed; whatever is sent is in the client's list, refused commands too.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from chassis.clock import Clock
from contracts import nationalids
from tests.chaos.commands import Client, Sent

EMPLOYERS = ("employer-lier", "employer-nav")
COUNSELLOR = "counsellor-refugee-service"
OCCUPATIONS = ("5223", "2512", "5120")
UNKNOWN_OCCUPATION = "0000"
BETWEEN_SECONDS = (0.02, 0.15)
NOT_YET_SECONDS = 0.4
MEASURE = "work_training"
BORN = date(1990, 3, 1)


class Over(Exception):
    """The time is over: a journey ends where it stands."""


class Load:
    """Workers with one client. `over` ends them; each finishes the command it is at."""

    def __init__(self, client: Client, chance: random.Random) -> None:
        self._client, self._chance = client, chance
        self._today = Clock().today()
        self._people = 0
        self.over = asyncio.Event()
        self.journeys = 0
        """Persons who came from registration to their first check-in."""

    async def run(self, *, journeys: int, employers: int) -> None:
        """Until `over`. What a worker does not foresee ends all of them."""
        work = [*(self._journeys for _ in range(journeys)), *(self._needs for _ in range(employers)), self._reports]
        async with asyncio.TaskGroup() as group:
            for each in (*work, self._reports):
                group.create_task(self._again_and_again(each))

    async def _again_and_again(self, work: Any) -> None:
        while not self.over.is_set():
            try:
                await work()
            except Over:
                return
            await self._pause(self._chance.uniform(*BETWEEN_SECONDS))

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.over.wait(), seconds)
        except TimeoutError:
            return

    # --- employers ---------------------------------------------------------------------------------------------------

    async def _needs(self) -> None:
        employer = self._chance.choice(EMPLOYERS)
        need = self._need(self._chance.randint(1, 3))
        match self._chance.random():
            case luck if luck < 0.1:
                await self._refused("intake", employer, "/needs", {}, {**need, "occupation": UNKNOWN_OCCUPATION})
            case luck if luck < 0.2:
                await self._client.post_other_body(need, "intake", employer, "/needs", {**need, "slots": 9})
            case luck:
                sent = await self._client.post("intake", employer, "/needs", {}, need, twice=luck < 0.35)
                assert sent.accepted, sent
                if luck > 0.6:
                    await self._withdraw(employer, sent)

    async def _withdraw(self, employer: str, registered: Sent) -> None:
        ids = {"need_id": registered.answer["need_id"]}
        route, body = "/needs/{need_id}/withdrawal", {"reason": "filled_otherwise"}
        version = f'"{registered.answer["version"]}"'
        sent = await self._client.post("intake", employer, route, ids, body, if_match=version)
        assert sent.accepted, sent
        if self._chance.random() < 0.5:
            # Stale, or withdrawn already: it must leave nothing behind.
            later = '"2"' if self._chance.random() < 0.5 else version
            await self._refused("intake", employer, route, ids, body, if_match=later)

    async def _reports(self) -> None:
        """Two workers restate one figure: decisions from the same state, at different replicas."""
        body = {"year": self._today.year - 1, "head_count": self._chance.randint(1, 5000)}
        if self._chance.random() < 0.1:
            await self._refused("intake", EMPLOYERS[0], "/workforce-reports", {}, {**body, "head_count": 0})
        else:
            await self._client.post("intake", EMPLOYERS[0], "/workforce-reports", {}, body)

    async def _refused(self, *what: Any, **more: Any) -> None:
        sent = await self._client.post(*what, **more)
        assert sent.status is not None, sent
        assert 400 <= sent.status < 500, f"not refused: {sent}"

    def _need(self, slots: int) -> dict[str, Any]:
        return {"occupation": self._chance.choice(OCCUPATIONS), "municipality": "3312", "slots": slots}

    # --- a person, through all services ------------------------------------------------------------------------------

    async def _journeys(self) -> None:
        """From registration to a check-in of the trial. Who has not heard yet refuses, and is asked again."""
        employer = EMPLOYERS[0]
        today, last = self._today.isoformat(), (self._today + timedelta(days=90)).isoformat()
        ids = await self._person()
        me = f"candidate:{ids['candidate_id']}"
        need = {**self._need(1), "intermediary": "refugee_service", "measure": MEASURE, "hours_per_week": 37.5}
        answer = await self._step("intake", employer, "/needs", ids, need)
        ids |= {"need_id": answer["need_id"], "slot_id": answer["slot_ids"][0]}
        proposal = {"candidate_id": ids["candidate_id"]}
        ids |= await self._step("matching", COUNSELLOR, "/slots/{slot_id}/matches", ids, proposal)
        match = "/matches/{match_id}"
        for persona, action, body in (
            (COUNSELLOR, "question", {"deadline": (self._today + timedelta(days=3)).isoformat()}),
            (me, "answer", {"answer": "accept"}),
            (COUNSELLOR, "presentation", None),
            (employer, "response", {"response": "relevant"}),
            (COUNSELLOR, "confirmation", None),
        ):
            await self._step("matching", persona, f"{match}/{action}", ids, body, read=match)
        draft = {"measure": MEASURE, "start_on": today, "end_on": last, "hours_per_week": 37.5}
        ids |= await self._step("followup", COUNSELLOR, "/cases/{match_id}/agreements", ids, draft)
        agreement = "/agreements/{agreement_id}"
        for persona, party in ((me, "participant"), (employer, "employer"), (COUNSELLOR, "counsellor")):
            await self._step("followup", persona, f"{agreement}/approval", ids, {"party": party}, read=agreement)
        ids |= await self._step("followup", employer, f"{agreement}/start", ids, {"on": today}, read=agreement)
        check_in = {"held_on": today, "progress": "as_planned"}
        trial = "/trials/{trial_id}"
        await self._step("followup", COUNSELLOR, f"{trial}/check-ins", ids, check_in, read=trial)
        self.journeys += 1

    async def _person(self) -> dict[str, str]:
        """Registered, mapped, assessed as ready, and has said yes."""
        self._people += 1
        born, number = divmod(self._people, 400)
        person = {"name": f"Test Testesen {self._people}"}
        person["national_id"] = nationalids.synthetic(BORN + timedelta(days=born), number)
        ids = await self._step("intake", COUNSELLOR, "/candidates", {}, person)
        me, candidate = f"candidate:{ids['candidate_id']}", "/candidates/{candidate_id}"
        long_ago = (self._today - timedelta(days=200)).isoformat()
        course = {"kind": "course", "occupation": "5223", "started_on": long_ago, "completed_on": long_ago}
        for persona, action, body in (
            (me, "consent", {"scope": "matching"}),
            (COUNSELLOR, "mapping", {"municipality": "3312", "hours_per_week": 37.5, "wished_occupations": ["5223"]}),
            *(
                (COUNSELLOR, "qualifications", {**course, "title": f"Kurs {n}", "provider": "Kurs AS"})
                for n in range(3)
            ),
            (COUNSELLOR, "assessment", {"ready": True, "valid_until": str(self._today + timedelta(days=150))}),
        ):
            await self._step("intake", persona, f"{candidate}/{action}", ids, body, read=candidate)
        background = {"immigrant_background": "immigrant", "country_of_birth": "SY"}
        await self._step("intake", me, f"{candidate}/background", ids, background)
        return ids

    async def _step(
        self, service: str, persona: str, route: str, ids: Mapping[str, str], body: Any, *, read: str | None = None
    ) -> dict[str, Any]:
        """Until it is accepted. Each try is a command of its own, with the version as it is read now. Raises Over."""
        while not self.over.is_set():
            version = None if read is None else await self._client.etag(service, persona, read.format_map(ids))
            if read is None or version is not None:
                sent = await self._client.post(service, persona, route, ids, body, if_match=version)
                if sent.accepted:
                    await self._pause(self._chance.uniform(*BETWEEN_SECONDS))
                    return {name: value for name, value in sent.answer.items() if name.endswith(("_id", "_ids"))}
            await self._pause(NOT_YET_SECONDS)
        raise Over
