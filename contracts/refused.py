"""A refusal is a value that people can read.

Invariant: a refusal never names what is protected; its code is stable, its sentence comes from a message catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence


class Refused(Exception):
    """A decider says no. Nothing is appended.

    `code` is the machine code (stable, snake_case; the catalogue of the service has a sentence in Norwegian and English
    under it), `fields` are JSON pointers into the command (`/start_on`), `params` fill the sentence. `status` is 409
    where the state forbids it and 422 where the command's fields do.
    """

    def __init__(self, code: str, fields: Sequence[str] = (), *, status: int = 409, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.fields = tuple(fields)
        self.status = status
        self.params = params
