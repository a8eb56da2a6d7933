"""Problem documents (RFC 9457): the one place where errors become answers.

Invariant: a code never changes, an answer never quotes what was sent; the unexpected says only that it happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from chassis.errors import (
    ClockWentBack,
    Contended,
    DependencyDown,
    IdempotencyMismatch,
    LogBusy,
    LogUnavailable,
    Stale,
    TooLarge,
)
from chassis.formats import Language
from chassis.keyring import KeyDestroyed, KeyringUnavailable, KeyUnknown
from chassis.logs import get_logger
from chassis.mongo import ConnectionFailure
from chassis.texts import BrokenCatalogue, Texts
from chassis.validation import Found, found_in
from contracts.refused import Refused

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:dugnad:problem:"
_log = get_logger(__name__)


class Problem(Exception):
    """An answer that is an error. `code` has `problem.<code>.title` and `.detail` in the catalogue.

    `errors` point at fields, `more` are further members of the document, `headers` go with the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        *,
        errors: Sequence[Found] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
        **params: object,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.errors, self.params = status, code, tuple(errors), params
        self.headers = dict(headers or {})
        self.more = dict(more or {})


class NotFound(Problem):
    """Unknown, or somebody else's: the answer is the same, so that nobody learns what exists."""

    def __init__(self) -> None:
        super().__init__(404, "not_found")


def absent_unless(allowed: bool) -> None:
    """Raises NotFound for a resource that is not the caller's."""
    if not allowed:
        raise NotFound


def busy(code: str, seconds: int = 2) -> Problem:
    """503 with `Retry-After`."""
    return Problem(503, code, headers={"Retry-After": str(seconds)}, seconds=seconds)


HANDLED: tuple[type[Exception], ...] = (
    Problem,
    Refused,
    RequestValidationError,
    HTTPException,
    Stale,
    Contended,
    IdempotencyMismatch,
    LogBusy,
    LogUnavailable,
    TooLarge,
    ClockWentBack,
    DependencyDown,
    KeyDestroyed,
    KeyUnknown,
    KeyringUnavailable,
    ConnectionFailure,
)
"""What a route may raise; everything else is answered 500 and logged."""


def as_problem(error: Exception) -> Problem | Refused:
    """The answer to an error."""
    match error:
        case Problem() | Refused():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return _of_framework(error)
        case Stale(version=version, expected=expected, changed=changed):
            more = {"version": version, "expected_version": expected, "changed": list(changed)}
            headers = {"ETag": f'"{version}"'}
            return Problem(409, "stale", more=more, headers=headers, version=version, expected=expected)
        case Contended():
            return Problem(409, "contended", headers={"Retry-After": "1"})
        case IdempotencyMismatch():
            return Problem(422, "idempotency_key_reused")
        case TooLarge():
            return Problem(413, "too_large")
        case ClockWentBack():
            return Problem(409, "clock_backwards")
        case LogBusy():
            return busy("busy", 1)
        case KeyringUnavailable():
            return busy("keyring_unavailable")
        case LogUnavailable() | DependencyDown() | ConnectionFailure():
            return busy("engine_unavailable")
        case KeyDestroyed() | KeyUnknown():
            return NotFound()
        case _:
            return Problem(500, "internal")


def _invalid(error: RequestValidationError) -> Problem:
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return Problem(400, "malformed_json")
    return Problem(422, "invalid", errors=found_in(error.errors()))


_OF_STATUS = {400: "malformed_json", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def _of_framework(error: HTTPException) -> Problem:
    code = _OF_STATUS.get(error.status_code, "internal" if error.status_code >= 500 else "bad_request")
    return Problem(error.status_code, code, headers=error.headers)


@dataclass(frozen=True)
class Rendered:
    """A problem in words."""

    status: int
    code: str
    title: str
    detail: str
    document: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)


class ProblemWriter:
    """Puts problems into words from the catalogue."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def write(self, error: Exception, language: Language, instance: str | None = None) -> Rendered:
        """The problem document of an error, in a language."""
        problem = as_problem(error)
        if isinstance(problem, Refused):
            title, detail = self._refused(problem, language)
            errors = [{"pointer": pointer, "detail": detail, "code": problem.code} for pointer in problem.fields]
            more: dict[str, Any] = {}
            headers: dict[str, str] = {}
        else:
            title = self._texts.say(language, f"problem.{problem.code}.title")
            detail = self._texts.say(language, f"problem.{problem.code}.detail", **problem.params)
            errors = [self._field(found, language) for found in problem.errors]
            more, headers = problem.more, problem.headers
        document = {
            "type": f"{TYPE_PREFIX}{problem.code}",
            "title": title,
            "status": problem.status,
            "detail": detail,
            "code": problem.code,
            **({"instance": instance} if instance else {}),
            **({"errors": errors} if errors else {}),
            **more,
        }
        return Rendered(problem.status, problem.code, title, detail, document, headers)

    def _refused(self, refused: Refused, language: Language) -> tuple[str, str]:
        kind = "refused_fields" if refused.status == 422 else "refused"
        title = self._texts.say(language, f"problem.{kind}.title")
        try:
            return title, self._texts.say(language, f"refused.{refused.code}", **refused.params)
        except BrokenCatalogue:
            # The refusal stands also where its sentence is missing.
            _log.error("refusal without a sentence", code=refused.code, language=language)
            return title, self._texts.say(language, f"problem.{kind}.detail")

    def _field(self, found: Found, language: Language) -> dict[str, str]:
        where = {"pointer": found.pointer} if found.parameter is None else {"parameter": found.parameter}
        return {**where, "detail": self.sentence(found, language), "code": found.code}

    def sentence(self, found: Found, language: Language) -> str:
        """What is wrong with one field, for a form or a problem document."""
        key = f"field.{found.code}"
        return self._texts.say(language, key if key in self._texts else "field.invalid", **found.params)

    def of_form(self, error: Exception, language: Language) -> str:
        """What is wrong with a form as a whole; of a stale one what others have done meanwhile."""
        if isinstance(error, IdempotencyMismatch):
            # Somebody went back to a form that was sent, and wrote something else: they know of no keys.
            return self._texts.say(language, "page.form_sent_before")
        if not isinstance(error, Stale):
            return self.write(error, language).detail
        told = (f"changed.{each}" for each in dict.fromkeys(error.changed))
        what = dict.fromkeys(self._texts.say(language, key if key in self._texts else "changed.other") for key in told)
        return self._texts.say(language, "page.form_stale", what=", ".join(what))

    def field_errors(self, error: Exception, language: Language) -> dict[str, str]:
        """Per field name (`start_on`; nested `a/b`) what is wrong with it: for a form that is shown again."""
        problem = as_problem(error)
        if isinstance(problem, Refused):
            _, detail = self._refused(problem, language)
            return {pointer.lstrip("/"): detail for pointer in problem.fields}
        return {found.pointer.lstrip("/"): self.sentence(found, language) for found in problem.errors}
