"""Whatever comes in over HTTP, right or wrong: no server error, and every answer is one that the description names."""

from __future__ import annotations

import pytest

from chassis.issuer import MESTER_GRONN
from chassis.settings import Settings
from tests.service.generated_input import tried
from tests.service.intake_helpers import MAPPING, running

OPERATIONS = 30


@pytest.mark.timeout(300)
async def test_no_input_leads_to_a_server_error_or_to_an_answer_that_is_not_described(settings: Settings) -> None:
    async with running(settings) as world:
        need = await world.need()
        candidate_id = await world.candidate("counsellor-nav")
        await world.as_("counsellor-nav").post(f"/candidates/{candidate_id}/mapping", MAPPING, version=1)
        known = {"need_id": need["need_id"], "candidate_id": candidate_id, "candidate": candidate_id}
        known |= {"org_number": MESTER_GRONN, "year": "2024"}
        found = await tried(world.app.openapi(), world.http, lambda persona: world.as_(persona).token, known)
    assert not found.faults, "\n\n".join(found.faults)
    assert found.operations >= OPERATIONS
    # It came past the door: something was read, something refused for its fields, for its state, and as absent.
    assert found.statuses >= {200, 404, 409, 422}
