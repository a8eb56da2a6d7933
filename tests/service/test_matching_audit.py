"""Every read of a person's data by a user is audited: who, what, why; those that were refused too."""

from __future__ import annotations

from typing import Any

from chassis.settings import Settings
from tests.service.matching_world import World, matching_world
from tests.service.platform_helpers import until

OWN = "persona:counsellor-refugee-service"


async def entries(world: World, candidate_id: str) -> list[tuple[Any, ...]]:
    """Who, what, why, outcome; the oldest first."""
    answer = await world.get("/audit", "operator", candidate_id=candidate_id, limit=200)
    assert answer.status_code == 200, answer.text
    found = answer.json()["items"][::-1]
    return [(each["actor"], each["what"], each["why"], each["outcome"]) for each in found]


async def test_every_read_of_a_persons_data_is_audited_denied_ones_too(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need()
        (slot_id,) = need.slot_ids
        name = await world.candidate()
        assert (await world.get(f"/slots/{slot_id}/candidates")).status_code == 200
        assert await entries(world, name) == [(OWN, "ranking", "own_need", "allowed")]
        await world.get("/plan")
        match_id = await world.presented(slot_id, name)
        before = len(await entries(world, name))
        reads: tuple[tuple[str, str, str | None, int, tuple[str, str | None, str]], ...] = (
            (f"/matches/{match_id}", OWN, None, 200, ("match", "own_need", "allowed")),
            (f"/matches/{match_id}", "persona:candidate", name, 200, ("match", "own_data", "allowed")),
            (f"/matches/{match_id}", "persona:employer-lier", None, 200, ("match", "presented_to_employer", "allowed")),
            (f"/matches/{match_id}", "persona:employer-nav", None, 404, ("match", None, "denied")),
            (f"/matches/{match_id}", "persona:counsellor-nav", None, 404, ("match", None, "denied")),
            ("/matches", "persona:employer-lier", None, 200, ("matches", "presented_to_employer", "allowed")),
            ("/matches", OWN, None, 200, ("matches", "own_need", "allowed")),
            (f"/needs/{need.need_id}", OWN, None, 200, ("matches", "own_need", "allowed")),
            ("/needs", OWN, None, 200, ("matches", "own_need", "allowed")),
            (f"/slots/{slot_id}/candidates", OWN, None, 200, ("ranking", "own_need", "allowed")),
        )
        view = world.services[0].view("matches")

        async def is_presented() -> bool:
            return ((await view.get(match_id)) or {}).get("response") is not None

        await until(is_presented, "the view has the employer's answer")
        for path, actor, own, status, (what, why, outcome) in reads:
            answer = await world.get(path, actor.removeprefix("persona:"), own)
            assert answer.status_code == status, (path, actor, answer.text)
            told = (await entries(world, name))[before:]
            before += len(told)
            assert told[0][1:] == (what, why, outcome), (path, actor)
            assert told[0][0].startswith(actor) or own is not None, told
            # Whoever is not the person also got the name, which is a read of its own.
            named = what == "match" and outcome == "allowed" and own is None
            assert [entry[1:] for entry in told[1:]] == ([("name", why, "allowed")] if named else []), (path, told)

        # A refused command shows nothing, and was still an attempt to get at somebody.
        refused = await world.post(f"/matches/{match_id}/confirmation", {}, "counsellor-nav", version=5)
        assert refused.status_code == 404
        assert (await entries(world, name))[-1] == ("persona:counsellor-nav", "match", None, "denied")
        ranking = await world.get(f"/slots/{slot_id}/candidates", "counsellor-nav")
        assert ranking.status_code == 404
        denied = await world.get("/audit", "operator", outcome="denied")
        assert denied.json()["items"][0]["what"] == "ranking"
        assert (await world.get("/audit")).status_code == 403
