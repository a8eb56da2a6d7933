"""Structured logs: one JSON object per line on stdout.

Invariant: no line holds a body, a token, a query string or anything typed by a person; ids, codes and templates only.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Any

import structlog
from pydantic import ValidationError
from structlog.typing import EventDict, Processor, WrappedLogger

LEFT_OUT = "[left out]"
LIBRARIES = ("aiokafka", "faststream", "httpx", "httpcore", "pymongo", "uvicorn", "asyncio")
AGAIN_SECONDS = 10.0
"""A library says the same again after so long. A client of a broker that is away repeats itself ten times a second."""
FORGET_SECONDS = 60.0

_PRIVATE = """
address authorization birth_date body cookie csrf email form headers key national_id note notes password payload
person_name phone query query_string reason_text sealed secret session token
"""
_PRIVATE_KEYS = frozenset(_PRIVATE.split())
_PATTERNS = (
    re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]+"),
    re.compile(r"(?<![\dA-Za-z])\d{6}[ -]?\d{5}(?![\dA-Za-z])"),
    re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),
    re.compile(r"\?[\w.~%+-]+=\S*"),
)
# Errors whose text comes from the code or the engine, not from data. All others (KeyError, ValueError, a duplicate
# key's document ...) may quote what a person typed, so only their type and place are logged.
_SPEAKING_BASES = (OSError, RuntimeError, TypeError, AttributeError, NameError, ImportError, AssertionError)
_SPEAKING_NAMES = frozenset({"ConnectionFailure", "ConfigurationError"})  # pymongo's: where it looked, not for what
_SPEAKING_MODULES = ("chassis.", "contracts.", "aiokafka.")


def _redact_text(text: str) -> str:
    for pattern in _PATTERNS:
        text = pattern.sub(LEFT_OUT, text)
    return text


def _redact(value: Any) -> Any:
    if isinstance(value, str):
        return _redact_text(value)
    if isinstance(value, Mapping):
        return {key: LEFT_OUT if str(key).lower() in _PRIVATE_KEYS else _redact(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redact(item) for item in value]
    if isinstance(value, bytes):
        return LEFT_OUT
    return value


def redact(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """The last processor before rendering: what must not be in a log is replaced by `[left out]`."""
    cleaned: EventDict = _redact(line)
    return cleaned


def say(error: BaseException) -> str:
    """The text of an error where it cannot quote data, else only what can be said of it."""
    if isinstance(error, ValidationError):
        found = ", ".join(f"{'.'.join(map(str, item['loc']))}: {item['type']}" for item in error.errors())
        return f"{error.title}: {found}"
    speaking = (
        isinstance(error, _SPEAKING_BASES)
        or f"{type(error).__module__}.".startswith(_SPEAKING_MODULES)
        or not _SPEAKING_NAMES.isdisjoint(kind.__name__ for kind in type(error).__mro__)
    )
    return _redact_text(str(error)) if speaking else LEFT_OUT


def _frames(traceback: TracebackType | None) -> list[str]:
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/site-packages/', 1)[-1]}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return frames


def _exception(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    # A formatted traceback ends with the error's text, and rich ones quote local variables: both hold personal data.
    given = line.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    chain: list[dict[str, Any]] = []
    while isinstance(error, BaseException) and len(chain) < 5:
        chain.append({"type": type(error).__qualname__, "says": say(error), "at": _frames(error.__traceback__)[-12:]})
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if chain:
        line["error"] = chain
    return line


class _Stdout:
    """Standard output as it is when a line is written: whoever redirects it later gets the lines."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


class _Sparing(logging.Filter):
    """What a library says again and again is logged once in a while, with how often it was said meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str, object], tuple[float, int]] = {}
        # Libraries have threads of their own.
        self._one_at_a_time = Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in LIBRARIES:
            return True
        with self._one_at_a_time:
            return self._is_news(record)

    def _is_news(self, record: logging.LogRecord) -> bool:
        now, said = monotonic(), (record.name, record.getMessage(), record.exc_info and record.exc_info[0])
        self._said = {each: last for each, last in self._said.items() if now - last[0] < FORGET_SECONDS}
        since, more = self._said.get(said, (-AGAIN_SECONDS, 0))
        if now - since < AGAIN_SECONDS:
            self._said[said] = (since, more + 1)
            return False
        self._said[said] = (now, 0)
        if more:
            record.msg, record.args = f"{said[1]} ({more} times more since then)", None
        return True


def configure_logs(service: str, *, level: str = "INFO") -> None:
    """Send everything that this process logs, through structlog or `logging`, to stdout as JSON lines."""

    def name_service(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        line["service"] = service
        return line

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
        _exception,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_Stdout())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=_type_only),
            ],
        )
    )
    handler.addFilter(_Sparing())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Libraries at INFO log topics of every batch and addresses with their query; uvicorn's access log has raw paths.
    for noisy in LIBRARIES:
        library = logging.getLogger(noisy)
        library.handlers = []
        library.propagate = True
        library.setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").disabled = True


def _type_only(value: object) -> str:
    # What is not plain JSON would be rendered with repr, which shows an event's or a model's fields.
    return f"<{type(value).__qualname__}>"


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines carry the request's correlation id (from the context)."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def bind_correlation(correlation: str, **more: str) -> None:
    """Put the correlation id on every line logged from here on in this task (an HTTP request, a record's reaction)."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(correlation=correlation, **more)
