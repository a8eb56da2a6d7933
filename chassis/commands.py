"""Commands: load, decide, append; again after a conflict.

Invariant: a command takes effect once or not at all; whoever repeats it gets the first answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic

from chassis import metrics
from chassis.decisions import Answer, CommandContext, Decision, Done, Loaded
from chassis.errors import Contended, IdempotencyMismatch, Stale
from chassis.eventlog import EventLog, NewCommit, Stored, StoredCommit
from chassis.keyring import KeyDestroyed
from chassis.mongo import PyMongoError

__all__ = ["Answer", "CommandContext", "Commands", "Decision", "Done", "Loaded", "SubjectLocks"]


Subjects = Sequence[str] | Callable[[Mapping[str, Loaded]], Iterable[str]]
TRIES = 6
LEDGER_POLL_SECONDS = 0.01


class Commands:
    """Runs the commands of one log."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._locks = SubjectLocks()
        self.source = log.source
        """The log that the commands append to."""

    async def run(
        self,
        context: CommandContext,
        subjects: Subjects,
        decide: Callable[[Mapping[str, Loaded]], Decision],
        *,
        person: str | None = None,
        unseal: bool = False,
    ) -> Done:
        """Decide on what the log holds of `subjects`, and append.

        The first subject is the one that If-Match speaks of. A callable is asked again with what is loaded until it
        names nothing new. `person`: the body is personal, so its hash is made under this candidate's key. `unseal`: the
        decision needs the sealed parts. Raises Refused, Stale, Contended, IdempotencyMismatch, LogBusy, LogUnavailable,
        TooLarge, KeyringError; after any of them but LogUnavailable nothing is stored.
        """
        for attempt in range(TRIES):
            # Before deciding, and after every conflict: a repeated command would else be refused by its own effect.
            if (first := await self._log.find(context.claim)) is not None:
                return await self._repeated(context, first)
            if attempt:
                await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - jitter, not a secret
            async with self._locks.holding(self._log, subjects, unseal) as loaded:
                try:
                    _check_if_match(context, loaded)
                    decision = decide(loaded)
                except Exception:
                    # Sent twice at once, the second finds no commit, waits, and would be refused by its own effect.
                    if (first := await self._log.find(context.claim)) is not None:
                        return await self._repeated(context, first)
                    raise
                commit = await self._commit(context, loaded, decision, person)
                outcome = await self._log.append(commit)
            if isinstance(outcome, Stored):
                version = loaded[decision.answer.subject].version + 1
                source, position = await self._place(context, outcome.commit_id)
                return Done(decision.answer, version, outcome.commit_id, position, repeated=False, source=source)
            metrics.CONFLICTS.labels(self._log.source).inc()
        if (first := await self._log.find(context.claim)) is not None:
            return await self._repeated(context, first)
        raise Contended(tuple(loaded))

    async def _commit(
        self, context: CommandContext, loaded: Mapping[str, Loaded], decision: Decision, person: str | None
    ) -> NewCommit:
        return NewCommit(
            command=context.claim,
            command_hash=await self._hash(context, person),
            hashed_for=person,
            reads={name: each.version for name, each in loaded.items()},
            events=decision.events,
            answer=decision.answer,
            business_keys=decision.claims,
            actor=context.actor,
            correlation=context.correlation,
            causation=context.causation,
            traceparent=context.traceparent,
        )

    async def _hash(self, context: CommandContext, person: str | None) -> bytes:
        if person is None:
            return hashlib.sha256(context.body).digest()
        assert self._log.keyring is not None, "a personal body needs a keyring"
        # A plain hash of a national id can be found by trying all of them.
        return hmac.digest(await self._log.keyring.key(person), context.body, "sha256")

    async def _repeated(self, context: CommandContext, first: StoredCommit) -> Done:
        try:
            same = hmac.compare_digest(await self._hash(context, first.hashed_for), first.command_hash)
        except KeyDestroyed:
            # Erased since: the bodies can no longer be compared, and the answer holds nothing personal.
            same = True
        if not same:
            raise IdempotencyMismatch(context.claim)
        metrics.COMMANDS_REPEATED.labels(self._log.source).inc()
        source, position = await self._place(context, first.id)
        return Done(first.answer, first.version, first.id, position, repeated=True, source=source)

    async def _place(self, context: CommandContext, commit_id: str) -> tuple[str, int | None]:
        """The log's name, and the commit's position there, if that is known within the time that the client waits."""
        name = self._log.origin.rpartition("/")[2]
        if context.wait <= 0:
            return name, None
        deadline = monotonic() + context.wait
        while True:
            try:
                place = await self._log.ledger.place(commit_id)
            except PyMongoError:
                # The command took effect: an error here would tell the client that it did not.
                return name, None
            if place is not None:
                epoch, position = place
                return (name if epoch == 1 else f"{name}~{epoch}"), position
            if monotonic() > deadline:
                return name, None
            await asyncio.sleep(LEDGER_POLL_SECONDS)


def _check_if_match(context: CommandContext, loaded: Mapping[str, Loaded]) -> None:
    target = next(iter(loaded.values()))
    if context.if_match is None or context.if_match == target.version:
        return
    changed = [
        type(event).__name__
        for event, version in zip(target.events, target.event_versions, strict=True)
        if version > context.if_match
    ]
    raise Stale(target.subject, context.if_match, target.version, changed)


class SubjectLocks:
    """Commands of one process on one subject queue behind one another: else one of 64 would win and 63 try again."""

    def __init__(self) -> None:
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    @asynccontextmanager
    async def holding(self, log: EventLog, subjects: Subjects, unseal: bool) -> AsyncIterator[Mapping[str, Loaded]]:
        """The subjects, loaded and locked, several in sorted order so that no two commands wait for each other."""
        names = list(subjects({}) if callable(subjects) else subjects)
        while True:
            held = [self._locks.setdefault(name, asyncio.Lock()) for name in sorted(set(names))]
            async with AsyncExitStack() as stack:
                for lock in held:
                    await stack.enter_async_context(lock)
                loaded = await log.load(names, unseal=unseal)
                more = [name for name in subjects(loaded) if name not in loaded] if callable(subjects) else []
                if not more:
                    yield loaded
                    return
                names = list(dict.fromkeys([*names, *more]))
