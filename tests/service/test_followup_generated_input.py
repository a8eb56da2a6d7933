"""Whatever comes in over HTTP, right or wrong: no server error, and every answer is one that the description names."""

from __future__ import annotations

import pytest

from chassis.settings import Settings
from tests.service.followup_helpers import running
from tests.service.generated_input import tried

OPERATIONS = 25


@pytest.mark.timeout(300)
async def test_no_input_leads_to_a_server_error_or_to_an_answer_that_is_not_described(settings: Settings) -> None:
    async with running(settings) as world:
        case = await world.confirmed()
        agreement_id, trial_id = await world.started(case)
        known = {**vars(case), "agreement_id": agreement_id, "trial_id": trial_id}
        found = await tried(world.app.openapi(), world.http, world.issuer.token, known)
    assert not found.faults, "\n\n".join(found.faults)
    assert found.operations >= OPERATIONS
    assert found.statuses >= {200, 404, 409, 422}
