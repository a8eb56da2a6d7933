"""What each form does: the function that the API's own route calls.

Invariant: a form has no way of its own; what it may not do, the API refuses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from chassis.commands import Done
from services.followup.api.aftermath import (
    confirm_employment,
    hold_closing_talk,
    issue_certificate,
    reverse_outcome,
)
from services.followup.api.agreements import (
    annul,
    approve,
    change_agreement,
    confirm_start,
    report_no_show,
    revoke,
    say_start,
)
from services.followup.api.cases import draft_agreement, settle_start, take_case
from services.followup.api.changes import answer_waiting, propose_change, shorten
from services.followup.api.trials import close, extend, hold_check_in, reverse_check_in_by_day

DONE_BY: Mapping[str, Callable[..., Awaitable[Done]]] = {
    "draft": draft_agreement,
    "approve": approve,
    "approve-for": approve,
    "start": confirm_start,
    "wrong-start": say_start,
    "revoke": revoke,
    "annul": annul,
    "no-show": report_no_show,
    "check-in": hold_check_in,
    "reverse-check-in": reverse_check_in_by_day,
    "extend": extend,
    "close": close,
    "change": change_agreement,
    "take": take_case,
    "settle": settle_start,
    "propose-change": propose_change,
    "accept-change": answer_waiting,
    "decline-change": answer_waiting,
    "shorten": shorten,
    "closing-talk": hold_closing_talk,
    "reverse": reverse_outcome,
    "certificate": issue_certificate,
    "employment": confirm_employment,
}
"""By the name of the action."""
