"""Counters of a process, declared once: their names and labels are a public contract (dashboards, alerts).

Invariant: a label is a route template, a code or a name from the code; never an id, a path or anything a person typed.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

HTTP_REQUESTS = Counter(
    "dugnad_http_requests", "Requests answered.", ("service", "route", "method", "status"), registry=REGISTRY
)
HTTP_SECONDS = Histogram(
    "dugnad_http_seconds",
    "Time from the first byte of a request to the end of its answer.",
    ("service", "route", "method"),
    buckets=_SECONDS,
    registry=REGISTRY,
)
PROBLEMS = Counter("dugnad_problems", "Problem documents answered.", ("service", "code"), registry=REGISTRY)
TOKENS_REFUSED = Counter("dugnad_tokens_refused", "Tokens that did not hold.", ("reason",), registry=REGISTRY)

COMMITS_APPENDED = Counter("dugnad_commits_appended", "Commits stored.", ("log",), registry=REGISTRY)
APPEND_SECONDS = Histogram(
    "dugnad_append_seconds",
    "Time from an append to its verdict.",
    ("log",),
    buckets=_SECONDS,
    registry=REGISTRY,
)
CONFLICTS = Counter("dugnad_commit_conflicts", "Commits refused since another was first.", ("log",), registry=REGISTRY)
BATCH_SIZE = Histogram(
    "dugnad_append_batch_size",
    "Commits sent in one insert.",
    ("log",),
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
    registry=REGISTRY,
)
COMMANDS_REPEATED = Counter(
    "dugnad_commands_repeated", "Commands answered from an earlier commit.", ("log",), registry=REGISTRY
)
COMMITS_PENDING = Gauge(
    "dugnad_commits_pending", "Commits not yet in the ledger, at most a page of them.", ("log",), registry=REGISTRY
)
COMMITS_PENDING_SECONDS = Gauge(
    "dugnad_commits_pending_seconds", "Age of the oldest commit not yet in the ledger.", ("log",), registry=REGISTRY
)
LEDGER_POSITION = Gauge("dugnad_ledger_position", "Last position in the ledger.", ("log",), registry=REGISTRY)
RELAY_LAG = Gauge(
    "dugnad_relay_lag_events", "Events in the ledger and not yet known to be published.", ("log",), registry=REGISTRY
)
EVENTS_PUBLISHED = Counter("dugnad_events_published", "Events acknowledged by the broker.", ("log",), registry=REGISTRY)
RELAY_ACTIVE = Gauge("dugnad_relay_active", "1 while this process holds the lease.", ("log",), registry=REGISTRY)
LEDGER_ALARMS = Counter(
    "dugnad_ledger_alarms", "Holes in a ledger or missing predecessors.", ("log",), registry=REGISTRY
)

RECORDS = Counter(
    "dugnad_projection_records",
    "Records handled by a projection; outcome is folded, ignored or dropped (a duplicate).",
    ("projection", "outcome"),
    registry=REGISTRY,
)
BATCH_SECONDS = Histogram(
    "dugnad_projection_batch_seconds",
    "Time from a batch to its committed offsets.",
    ("projection",),
    buckets=_SECONDS,
    registry=REGISTRY,
)
STOPPED_PARTITIONS = Gauge(
    "dugnad_stopped_partitions",
    "Partitions stopped since too many subjects are parked.",
    ("consumer",),
    registry=REGISTRY,
)
CONSUMER_REJOINS = Counter(
    "dugnad_consumer_rejoins",
    "Times that a consumer stood still without an error, and was made anew.",
    ("consumer",),
    registry=REGISTRY,
)
CONSUMER_LAG = Gauge(
    "dugnad_consumer_lag_events",
    "Events in this process's partitions that a projection or its reactions have not handled.",
    ("consumer",),
    registry=REGISTRY,
)
CONSUMER_LAG_SECONDS = Gauge(
    "dugnad_consumer_lag_seconds",
    "For how long the oldest of them has been seen to wait: how stale the view is.",
    ("consumer",),
    registry=REGISTRY,
)
PROJECTION_HOLES = Gauge(
    "dugnad_projection_holes",
    "Sources of which a projection has missed a position for over a minute.",
    ("projection",),
    registry=REGISTRY,
)
REBUILD_PROGRESS = Gauge(
    "dugnad_rebuild_progress",
    "How much of a projection's rebuild is done, 0 to 1; 1 where none is being done.",
    ("projection",),
    registry=REGISTRY,
)
REBUILD_MISSING = Gauge(
    "dugnad_rebuild_missing_events",
    "Events that a projection's rebuild has still to fold; 0 where none is being done.",
    ("projection",),
    registry=REGISTRY,
)
PARKED = Gauge(
    "dugnad_parked_events", "Events that could not be handled, and those behind them.", ("consumer",), registry=REGISTRY
)
PARKED_SUBJECTS = Gauge(
    "dugnad_parked_subjects", "Subjects that stand still since an event is parked.", ("consumer",), registry=REGISTRY
)
REACTIONS = Counter(
    "dugnad_reactions",
    "Events that a reaction handled; outcome is appended, nothing or refused.",
    ("reaction", "outcome"),
    registry=REGISTRY,
)
TIMERS = Counter(
    "dugnad_timers",
    "Timers fired; outcome is appended, nothing, refused or failed (it is tried again).",
    ("timer", "outcome"),
    registry=REGISTRY,
)
KEYS_ASKED = Counter(
    "dugnad_keyring_requests", "Keys asked of the keyring over HTTP, by outcome.", ("outcome",), registry=REGISTRY
)
TABLES_UNAVAILABLE = Gauge(
    "dugnad_tables_unavailable",
    "1 while a published table is not shown, since something that was sealed of it cannot be read.",
    ("table",),
    registry=REGISTRY,
)


def serve_metrics(host: str, port: int) -> Callable[[], None]:
    """Serve the counters at `/metrics` on a port of their own; call what comes back to stop."""
    server, thread = start_http_server(port, addr=host, registry=REGISTRY)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=2)

    return stop
