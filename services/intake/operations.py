"""From a request about a need to a decided command: the same way for the API and for forms.

Invariant: what may be seen is checked before anything is decided; a key is made only for a need that has something to
seal, and only after the request was found to be right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chassis.auth import Principal
from chassis.commands import Answer, CommandContext, Decision, Done, Loaded
from chassis.errors import DependencyDown
from chassis.ids import new_id
from chassis.logs import get_logger
from contracts.refused import Refused
from contracts.vocabulary import Intermediary
from services.intake.core import Intake, fold_need, need_subject, own_org_number
from services.intake.domain import needs
from services.intake.domain.content import content_of
from services.intake.domain.freetext import TextWarning, warnings_about
from services.intake.domain.need_commands import EraseNeedText, RegisterNeed, ReviseNeed, WithdrawNeed
from services.intake.registry import Unit
from services.intake.requests import NeedAgain, NeedContent, NeedWithdrawal, NewNeed
from services.intake.views import started_slots

_log = get_logger(__name__)


async def register_need(intake: Intake, principal: Principal, context: CommandContext, body: NewNeed) -> Done:
    """Register what an employer typed. Raises Refused, WarningsUnseen, NotFound."""
    number = own_org_number(principal, body.org_number, synthetic=intake.synthetic)
    await _not_ended(intake, number)
    command = RegisterNeed(
        need_id=new_id(),
        slot_ids=tuple(new_id() for _ in range(body.slots)),
        org_number=number,
        municipality=body.municipality,
        content=body.content(),
        at=intake.clock.now(),
        intermediary=body.intermediary,
        accepted_warnings=frozenset(body.accept_warnings),
        synthetic=intake.synthetic,
    )
    return await _register(intake, context, command)


async def register_again(
    intake: Intake, principal: Principal, context: CommandContext, earlier_id: str, body: NeedAgain
) -> Done:
    """The same as an earlier need, today. What was warned about then has been seen. Raises Refused, NotFound."""
    earlier = await intake.own_need(principal, earlier_id, unseal=True)
    await _not_ended(intake, earlier.org_number)
    content = content_of(earlier.last, earlier.last.sealed)
    free = content.free
    texts = {"/title": free.title, "/description": free.description} if free is not None else {}
    command = RegisterNeed(
        need_id=new_id(),
        slot_ids=tuple(new_id() for _ in range(body.slots or len(earlier.slot_ids))),
        org_number=earlier.org_number,
        municipality=earlier.registered.municipality,
        content=replace(content, start_from=body.start_from),
        at=intake.clock.now(),
        intermediary=Intermediary(earlier.registered.intermediary),
        copied_from=earlier_id,
        accepted_warnings=frozenset(each.code for each in warnings_about(texts)),
        synthetic=intake.synthetic,
    )
    return await _register(intake, context, command)


async def revise_need(
    intake: Intake, principal: Principal, context: CommandContext, need_id: str, body: NeedContent
) -> Done:
    """The whole new content of a need. Raises Refused, WarningsUnseen, NotFound, Stale."""
    own = await intake.own_need(principal, need_id)
    command = ReviseNeed(body.content(), intake.clock.now(), frozenset(body.accept_warnings))
    person = await _key_for(intake, context, need_id, command, own)
    subject = need_subject(need_id)

    def decide(loaded: Mapping[str, Loaded]) -> Decision:
        events = needs.decide(command, fold_need(loaded[subject]))
        return Decision(events, _answer(need_id, warnings=_told(command)))

    # Unsealed: a revision that changes nothing but the free text is one.
    return await intake.commands.run(context, [subject], decide, person=person, unseal=True)


async def withdraw_need(
    intake: Intake, principal: Principal, context: CommandContext, need_id: str, body: NeedWithdrawal
) -> Done:
    """Take places back. Those on which somebody has begun stay. Raises Refused, NotFound, Stale."""
    await intake.own_need(principal, need_id)
    started = frozenset(started_slots(await intake.places.get(need_id)))
    command = WithdrawNeed(body.reason, intake.clock.now(), body.slot_ids, started)

    def decide(loaded: Mapping[str, Loaded]) -> Decision:
        events = needs.decide(command, fold_need(loaded[need_subject(need_id)]))
        return Decision(events, _answer(need_id, slot_ids=events[0].data()["slot_ids"]))

    return await intake.commands.run(context, [need_subject(need_id)], decide)


async def erase_need_text(intake: Intake, principal: Principal, context: CommandContext, need_id: str) -> Done:
    """Erase free text and contact person for good. Raises Refused, NotFound, Stale.

    From then on nobody is shown it; the reaction destroys the key.
    """
    await intake.own_need(principal, need_id)
    command = EraseNeedText(intake.clock.now())
    subject = need_subject(need_id)

    def decide(loaded: Mapping[str, Loaded]) -> Decision:
        return Decision(needs.decide(command, fold_need(loaded[subject])), _answer(need_id))

    return await intake.commands.run(context, [subject], decide, unseal=True)


async def unit_or_none(intake: Intake, org_number: str) -> Unit | None:
    """The unit of the register; None where it has none, and where the register does not answer."""
    try:
        return await intake.register.unit(org_number)
    except DependencyDown as down:
        _log.warning("the register of units does not answer", what=down.message)
        return None


async def _register(intake: Intake, context: CommandContext, command: RegisterNeed) -> Done:
    person = await _key_for(intake, context, command.need_id, command)
    subject = need_subject(command.need_id)

    def decide(loaded: Mapping[str, Loaded]) -> Decision:
        events = needs.decide(command, fold_need(loaded[subject]))
        registered = events[0].data()
        names = ("slot_ids", "registered_on", "promise_date", "expires_on", "copied_from")
        told = {name: registered[name] for name in names}
        return Decision(events, _answer(command.need_id, **told, warnings=_told(command)))

    return await intake.commands.run(context, [subject], decide, person=person)


async def _key_for(
    intake: Intake,
    context: CommandContext,
    need_id: str,
    command: RegisterNeed | ReviseNeed,
    own: needs.Need | None = None,
) -> str | None:
    """The need's id where something of it is sealed, with its key made; None where nothing is."""
    if command.content.sealed() is None:
        return None
    first = await intake.log.find(context.claim)
    if first is None:
        # Refused before a key is made: else every slip of the hand would leave a key of nobody.
        if isinstance(command, RegisterNeed):
            needs.decide(command, None)
        elif own is not None:
            needs.check_text_allowed(own, command.content)
        await intake.keyring.create(need_id)
    elif first.hashed_for is not None:
        return first.hashed_for
    return need_id


async def _not_ended(intake: Intake, org_number: str) -> None:
    unit = await unit_or_none(intake, org_number)
    if unit is not None and unit.ended:
        raise Refused("employer_ended", ["/org_number"], status=422)


def _answer(need_id: str, **told: Any) -> Answer:
    return Answer({"need_id": need_id, **told}, f"/needs/{need_id}", need_subject(need_id))


def _told(command: RegisterNeed | ReviseNeed) -> list[dict[str, str]]:
    """What was warned about and saved all the same: field and code, never the text."""
    free = command.content.free
    if free is None:
        return []
    found: Sequence[TextWarning] = warnings_about({"/title": free.title, "/description": free.description})
    return [{"pointer": each.pointer, "code": each.code} for each in found]
