"""Cursors of intake's lists.

Invariant: a cursor that was not made here is refused before it reaches a query.
"""

from __future__ import annotations

from chassis.problems import Problem
from chassis.respond import Paging


def texts_after(page: Paging, count: int) -> tuple[str, ...]:
    """The sort values of the last item seen. Raises Problem 400 unless they are so many texts."""
    values = page.after or ()
    texts = tuple(value for value in values if isinstance(value, str))
    if len(texts) != count or len(values) != count:
        raise Problem(400, "cursor_invalid")
    return texts
