"""How a flow run ends, and runs that wait for an answer nobody will give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class RunResult:
    """The kind of a state, its name and a sentence."""

    kind: Literal["completed", "cancelled", "failed"]
    name: str
    message: str


@dataclass(frozen=True)
class StaleRun:
    """A run of Prefect that waits in vain: `answer` resumes it, `ended` is how it ends instead."""

    question: int
    run: str
    answer: str = ""
    ended: RunResult | None = None
