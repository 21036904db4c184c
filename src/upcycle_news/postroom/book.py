"""Commits shared by the connections of a process.

While one thread commits, the others line up with what they have; the next one takes all of it. So
a lone connection never waits for company, and many connections need few commits. Nobody sends
before the commit that holds their own mark.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from upcycle_news.model import Claim, Leave
from upcycle_news.postroom.contract import Ledger, Record


@dataclass
class _Entry:
    records: list[Record]
    marks: list[Claim]
    answers: list[Leave] = field(default_factory=list)
    error: BaseException | None = None
    done: bool = False


class Book:
    """`turn` as the ledger has it, for several threads at once."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        """Write into `ledger` at the time of `clock`."""
        self._ledger, self._clock = ledger, clock
        self._waiting: list[_Entry] = []
        self._line_up, self._commit = threading.Lock(), threading.Lock()

    def turn(self, records: list[Record], marks: list[Claim]) -> list[Leave]:
        """Commit these records and marks, together with those of others; the marks' answers."""
        entry = _Entry(records, marks)
        with self._line_up:
            self._waiting.append(entry)
        with self._commit:
            if not entry.done:
                with self._line_up:
                    group, self._waiting = self._waiting, []
                self._write(group)
        if entry.error is not None:
            raise entry.error
        return entry.answers

    def _write(self, group: list[_Entry]) -> None:
        records = [record for entry in group for record in entry.records]
        marks = [claim for entry in group for claim in entry.marks]
        try:
            answers = iter(self._ledger.turn(records, marks, self._clock()))
            for entry in group:
                entry.answers = [next(answers) for _ in entry.marks]
        except BaseException as error:
            for entry in group:
                entry.error = error
        finally:
            for entry in group:
                entry.done = True
