"""One command is one trace through four processes, as a collector gets it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from chassis.settings import Settings
from deploy.local.engines import Engines
from tests.service.platform_helpers import until
from tests.system.system_helpers import system

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
NEED = {"occupation": "5223", "municipality": "3312"}


class Seen(NamedTuple):
    """One span, as it was sent."""

    service: str
    name: str
    id: str
    parent: str


class Collector:
    """Takes what is exported, and keeps the spans of the one trace."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            (service,) = [
                each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
            ]
            self.spans += [
                Seen(service, span.name, span.span_id.hex(), span.parent_span_id.hex())
                for scope in resource.scope_spans
                for span in scope.spans
                if span.trace_id.hex() == TRACE
            ]

    def named(self, service: str, name: str) -> Seen:
        """The one span of this name."""
        (found,) = [each for each in self.spans if (each.service, each.name) == (f"dugnad-{service}", name)]
        return found


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    yield collector
    server.shutdown()
    server.server_close()


@pytest.mark.timeout(240)
async def test_one_command_is_one_trace_from_http_through_four_services(
    engines: Engines, settings: Settings, tmp_path: Path, collector: Collector
) -> None:
    async with system(engines, settings, tmp_path) as services:
        async with httpx.AsyncClient(base_url=services.urls["intake"]) as http:
            token = (await http.post("/dev/token", json={"persona": "employer-lier"})).json()["access_token"]
            headers = {
                "Authorization": f"Bearer {token}",
                "Idempotency-Key": "trace",
                "traceparent": f"00-{TRACE}-{CALLER}-01",
            }
            (await http.post("/needs", json=NEED, headers=headers)).raise_for_status()

        async def everywhere() -> bool:
            # Matching assigns the need, which is an event of its own: reporting hears of both.
            folds = [each for each in collector.spans if each.service == "dugnad-reporting" and "fold" in each.name]
            return len({each.parent for each in folds}) == 2

        await until(everywhere, "the trace has come to reporting on both ways", 60)
    request = collector.named("intake", "POST /needs")
    assert request.parent == CALLER
    appended = collector.named("intake", "append")
    assert appended.parent == request.id
    assert collector.named("intake", "publish").parent == appended.id
    assert collector.named("intake", "fold needs").parent == appended.id
    reaction = next(each for each in collector.spans if each.service == "dugnad-matching" and "react" in each.name)
    assert reaction.parent == appended.id
    reacted = collector.named("matching", "append")
    assert reacted.parent == reaction.id
    folded = {(each.name, each.parent) for each in collector.spans if each.service == "dugnad-reporting"}
    assert {("fold journey", appended.id), ("fold journey", reacted.id)} <= folded
    # Nothing hangs in the air: every parent is a span that was sent, or the caller's.
    assert {each.parent for each in collector.spans} <= {CALLER, *(each.id for each in collector.spans)}
