"""Results of flow runs, and flow runs whose approval request is decided or has expired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class RunResult:
    """The final state of a flow run: Prefect's state type, a state name and a sentence."""

    kind: Literal["completed", "cancelled", "failed"]
    name: str
    message: str


@dataclass(frozen=True)
class StaleRun:
    """A suspended flow run that must not wait any longer.

    `answer` (send, reject) resumes it; with `ended` it is cancelled with that result instead.
    """

    request: int
    run: str
    answer: str = ""
    ended: RunResult | None = None
