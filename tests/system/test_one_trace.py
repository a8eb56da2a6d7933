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
WANTED = {
    ("dugnad-intake", "POST /needs"),
    ("dugnad-intake", "append"),
    ("dugnad-intake", "publish"),
    ("dugnad-intake", "fold needs"),
    ("dugnad-matching", "react assign"),
    ("dugnad-matching", "append"),
    ("dugnad-followup", "react plan"),
    ("dugnad-followup", "append"),
}


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
        """A span of this name. A record that is sent or folded once more has one more, with the same parent."""
        found = [each for each in self.spans if each.service == f"dugnad-{service}" and each.name == name]
        assert len({each.parent for each in found}) == 1, (service, name, found)
        return found[0]

    def folded(self) -> set[tuple[str, str]]:
        """What reporting has folded: name and parent."""
        return {(each.name, each.parent) for each in self.spans if each.service == "dugnad-reporting"}

    def complete(self) -> bool:
        """Whether the command has been heard of wherever it is, and nothing hangs in the air.

        Each process sends its spans when it likes: that the last service has told all says nothing of the first.
        """
        told = {(each.service, each.name) for each in self.spans}
        known = {CALLER, *(each.id for each in self.spans)}
        # Matching assigns the need and followup plans its slot, which are events of their own: reporting hears of all.
        ways = {parent for name, parent in self.folded() if name == "fold journey"}
        return len(ways) == 3 and told >= WANTED and {each.parent for each in self.spans} <= known


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

        async def complete() -> bool:
            return collector.complete()

        await until(
            complete, "the trace has come to reporting on all three ways, and every process has told its part", 60
        )
    request = collector.named("intake", "POST /needs")
    assert request.parent == CALLER
    appended = collector.named("intake", "append")
    assert appended.parent == request.id
    assert collector.named("intake", "publish").parent == appended.id
    assert collector.named("intake", "fold needs").parent == appended.id
    for service, reaction in (("matching", "react assign"), ("followup", "react plan")):
        reacted = collector.named(service, reaction)
        assert reacted.parent == appended.id
        answered = collector.named(service, "append")
        assert answered.parent == reacted.id
        assert ("fold journey", answered.id) in collector.folded()
    assert ("fold journey", appended.id) in collector.folded()
