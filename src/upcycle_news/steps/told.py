"""How a run ends, in words: flows turn it into a state of Prefect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Told:
    """The kind of a state, its name and a sentence."""

    kind: Literal["completed", "cancelled", "failed"]
    name: str
    message: str
