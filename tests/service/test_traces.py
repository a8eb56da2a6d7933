"""One command is one trace, from HTTP through log, topic, view and reaction, on real engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr
from starlette.responses import JSONResponse

from chassis.decisions import Answer, Decision, Loaded
from chassis.eventlog import EventLog
from chassis.projection import Document, Projection, Record
from chassis.reactor import Occasion, Reaction
from chassis.requests import StrictModel
from chassis.service import Service
from chassis.settings import Settings
from chassis.telemetry import begin_traces
from chassis.texts import Texts
from chassis.tokens import Principal
from chassis.web import Creating, create_app, require, respond
from contracts import intake
from contracts.event import Event
from tests.service.platform_helpers import figures, published, small_service, until, workforce
from tests.webapp import DEV_KEY, headers

ORG_NUMBER = "315486892"
DAY = date(2025, 1, 13)
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


class Figure(StrictModel):
    org_number: str


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    stop = begin_traces("small", exporter)
    yield exporter
    stop()


def _withdraw() -> Reaction:
    def subjects(record: Record, _: Mapping[str, Loaded]) -> list[str]:
        return ["need:1"]

    def react(record: Record, loaded: Mapping[str, Loaded], _: Occasion) -> Sequence[Event]:
        return [intake.NeedWithdrawn(need_id="1", org_number=ORG_NUMBER, slot_ids=(), reason="other", withdrawn_on=DAY)]

    return Reaction("withdraw", (intake.TOPIC,), (intake.WorkforceReported,), subjects, react)


def _withdrawn() -> Projection:
    def fold(_: str, __: Document | None, record: Record) -> Document:
        return {"by": record.correlation}

    return Projection("withdrawn", (intake.TOPIC,), (intake.NeedWithdrawn,), lambda _: ["need"], fold)


def _api(service: Service, eventlog: EventLog) -> APIRouter:
    router = APIRouter()

    @router.post("/figures", status_code=201)
    async def report(
        figure: Figure, _: Annotated[Principal, Depends(require("needs:write"))], context: Creating
    ) -> JSONResponse:
        subject = f"workforce:{figure.org_number}-2025"

        def decide(_: Mapping[str, Loaded]) -> Decision:
            return Decision([workforce(figure.org_number, 2025, 13)], Answer({}, "/", subject))

        return respond(await service.commands(eventlog).run(context, [subject], decide))

    return router


def _traceparent(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"


def _parent(span: ReadableSpan) -> str:
    assert span.parent is not None, span.name
    return f"00-{span.parent.trace_id:032x}-{span.parent.span_id:016x}-01"


async def _one_command(service: Service, eventlog: EventLog, traceparent: str | None) -> httpx.Response:
    """Post a figure, and wait until the reaction to it is in a view and in the topic."""
    app = create_app(service, routers=[_api(service, eventlog)], texts=Texts(), title="Small")
    sent = headers() if traceparent is None else headers(traceparent=traceparent)
    await service.start()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://small.test") as client:
            answer = await client.post("/figures", json={"org_number": ORG_NUMBER}, headers=sent)

        async def shown() -> bool:
            return await service.view("withdrawn").get("need") is not None

        await until(shown, "the reaction in a view")
        await published(eventlog, 2)
    finally:
        await service.stop()
    return answer


def _tracing(settings: Settings) -> tuple[Service, EventLog]:
    settings = settings.model_copy(update={"dev_issuer_key": SecretStr(DEV_KEY)})
    service, eventlog = small_service(settings, figures(), _withdrawn())
    service.add_reaction(eventlog, _withdraw())
    return service, eventlog


async def test_one_command_is_one_trace_through_log_topic_view_and_reaction(
    settings: Settings, exporter: InMemorySpanExporter
) -> None:
    service, eventlog = _tracing(settings)
    _, read = small_service(settings)
    answer = await _one_command(service, eventlog, TRACEPARENT)
    assert answer.status_code == 201, answer.text
    found = exporter.get_finished_spans()
    assert {f"{span.context.trace_id:032x}" for span in found if span.context is not None} == {TRACE}

    children: dict[str, list[ReadableSpan]] = {}
    for span in found:
        children.setdefault(_parent(span), []).append(span)

    def below(parent: str) -> dict[str, ReadableSpan]:
        names = {span.name: span for span in children.get(parent, [])}
        assert len(names) == len(children.get(parent, []))
        return names

    request = below(TRACEPARENT)
    assert list(request) == ["POST /figures"]
    command = below(_traceparent(request["POST /figures"]))
    assert list(command) == ["append"]
    decided = _traceparent(command["append"])
    followed = below(decided)
    assert sorted(followed) == ["fold figures", "publish", "react withdraw"]
    reaction = below(_traceparent(followed["react withdraw"]))
    assert list(reaction) == ["append"]
    reacted = _traceparent(reaction["append"])
    assert sorted(below(reacted)) == ["fold withdrawn", "publish"]
    assert len(found) == 8

    # What was sent names the commit's own span, and is what the log keeps.
    commits = [each async for each in read.commits.find({})]
    assert {commit["events"][0]["type"]: commit["traceparent"] for commit in commits} == {
        "dugnad.WorkforceReported.v1": decided,
        "dugnad.NeedWithdrawn.v1": reacted,
    }


async def test_a_trace_holds_ids_and_codes_and_nothing_that_was_sent(
    settings: Settings, exporter: InMemorySpanExporter
) -> None:
    service, eventlog = _tracing(settings)
    await _one_command(service, eventlog, None)
    told = {name: value for span in exporter.get_finished_spans() for name, value in (span.attributes or {}).items()}
    assert sorted(told) == [
        "dugnad.commit",
        "dugnad.correlation",
        "dugnad.event",
        "dugnad.events",
        "dugnad.log",
        "dugnad.outcome",
        "dugnad.position",
        "dugnad.request",
        "dugnad.type",
        "http.request.method",
        "http.response.status_code",
        "http.route",
    ]
    assert not any(ORG_NUMBER in span.to_json() for span in exporter.get_finished_spans())


async def test_without_an_exporter_the_trace_of_the_caller_still_reaches_the_reaction(settings: Settings) -> None:
    service, eventlog = _tracing(settings)
    _, read = small_service(settings)
    await _one_command(service, eventlog, TRACEPARENT)
    assert [each["traceparent"] async for each in read.commits.find({})] == [TRACEPARENT, TRACEPARENT]
