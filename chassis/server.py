"""Runs the app of a service as a process: `python -m services.intake`.

Invariant: what cannot be reached at start is said in one line, and the process ends with code 3; a signal lets requests
and the service finish before it ends.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from chassis.errors import DependencyDown
from chassis.issuer import NotInProduction
from chassis.logs import configure_logs, get_logger
from chassis.metrics import serve_metrics
from chassis.settings import Settings
from chassis.telemetry import begin_traces

EXIT_DEPENDENCY = 3
GRACE_SECONDS = 10
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_log = get_logger(__name__)


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            host, port = each.getsockname()[:2]
            _log.info("listening", at=f"http://{host}:{port}")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the signal again before the lifespan has ended, which would kill the service in mid-stop.
        yield


def run(create_app: Callable[[Settings], FastAPI], settings: Settings, *, name: str) -> None:
    """Serve until SIGINT or SIGTERM. Exits with 3 where something is missing, and says what in one line."""
    configure_logs(name)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(create_app, settings, name))
    except DependencyDown as down:
        _end(name, down.message)
    except NotInProduction as wrong:
        _end(name, str(wrong))
    except OSError as error:
        _end(name, f"{settings.host}:{settings.port} or its metrics port {settings.metrics_port}: {error.strerror}")


def _end(name: str, message: str) -> None:
    print(f"{name}: {message}", file=sys.stderr)
    raise SystemExit(EXIT_DEPENDENCY)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def _serve(create_app: Callable[[Settings], FastAPI], settings: Settings, name: str) -> None:
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    task = asyncio.current_task()
    assert task is not None, "run by asyncio.Runner"

    def stop() -> None:
        if server.started:
            server.should_exit = True
        else:
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    stop_traces = begin_traces(name)
    listening = _bind(settings)
    stop_metrics = serve_metrics(settings.host, settings.metrics_port) if settings.metrics_port else None
    try:
        # The service starts before anything is served, so that nobody meets it half made.
        async with app.router.lifespan_context(app):
            await server.serve(sockets=[listening])
    except asyncio.CancelledError:
        _log.info("stopped before it had started", service=name)
    finally:
        listening.close()
        if stop_metrics is not None:
            stop_metrics()
        stop_traces()
    _log.info("stopped", service=name)


def _bind(settings: Settings) -> socket.socket:
    # Bound, but not listening before the service has started: what waited for that would be carried out long after its
    # client had asked elsewhere.
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family)
    try:
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening
