"""One command's way: log, ledger, topic, view."""

from __future__ import annotations

from chassis.settings import Settings
from contracts import intake
from tests.service.platform_helpers import figures, report, small_service


async def test_a_command_goes_through_log_ledger_and_topic_into_a_view(settings: Settings) -> None:
    service, eventlog = small_service(settings, figures())
    await service.start()
    try:
        commands = service.commands(eventlog)
        for head_count in (10, 20, 30):
            done = await report(commands, "999999999", head_count, wait=5.0)
        assert done.position == 3
        assert done.version == 3
        view = service.view("figures")
        assert await view.wait_for(intake.SOURCE, 3, 10)
        assert await view.get("999999999") == {"_id": "999999999", "counts": [10, 20, 30]}
        assert await view.complete_to(intake.SOURCE) == 3
        assert await service.faults_ready() == []
    finally:
        await service.stop()


async def test_a_repeated_command_gets_the_first_answer_and_appends_nothing(settings: Settings) -> None:
    service, eventlog = small_service(settings)
    await service.start()
    try:
        commands = service.commands(eventlog)
        first = await report(commands, "999999999", 10, key="same", wait=5.0)
        again = await report(commands, "999999999", 10, key="same", wait=5.0)
        assert (first.repeated, again.repeated) == (False, True)
        assert (again.answer, again.version, again.position) == (first.answer, first.version, first.position)
        assert await eventlog.commits.count_documents({}) == 1
    finally:
        await service.stop()
