"""Whatever comes in over HTTP, right or wrong: no server error, and every answer is one that the description names."""

from __future__ import annotations

import pytest

from chassis.issuer import DevIssuer
from chassis.settings import Settings
from services.matching.app import web_app
from tests.service.generated_input import tried
from tests.service.matching_world import matching_world

OPERATIONS = 15


@pytest.mark.timeout(300)
async def test_no_input_leads_to_a_server_error_or_to_an_answer_that_is_not_described(settings: Settings) -> None:
    async with matching_world(settings) as world:
        need = await world.need(slots=2)
        candidate_id = await world.candidate()
        match_id = await world.presented(need.slot_ids[0], candidate_id)
        known = {"need_id": need.need_id, "slot_id": need.slot_ids[1], "match_id": match_id}
        known["candidate_id"] = candidate_id
        issuer = DevIssuer(world.settings)
        found = await tried(web_app(world.services[0]).openapi(), world.http, issuer.token, known)
    assert not found.faults, "\n\n".join(found.faults)
    assert found.operations >= OPERATIONS
    assert found.statuses >= {200, 404, 409, 422}
