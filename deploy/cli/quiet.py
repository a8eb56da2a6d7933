"""What the platform logs, while a command answers.

Invariant: standard output belongs to the answer.
"""

from __future__ import annotations

import logging
import sys

import structlog

LIBRARIES = ("aiokafka", "faststream", "asyncio")
"""The last one speaks of clients that could not be left in order, since their engine is away: that is said once."""


def quietly() -> None:
    """Send it elsewhere, and only what is grave."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        # A logger that were kept would go on writing to this stream when it is no longer there.
        cache_logger_on_first_use=False,
    )
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.CRITICAL)
