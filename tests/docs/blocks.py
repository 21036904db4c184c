"""The command blocks of the documentation: what people copy, and what excuses a block from running.

A block is a fence marked ``sh``. A comment in the line above, ``<!-- not run: REASON -->``, says why
it cannot run here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<excuse>[^>]+?) -->\n)?^```sh\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """Commands as they stand in a page (relative to the project), and why they do not run, if so."""

    page: str
    text: str
    excuse: str | None


def blocks(page: str) -> list[Block]:
    """The blocks of `page` in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(page, found["text"], found["excuse"]) for found in _BLOCK.finditer(text)]


def script(page: str) -> str:
    """All blocks of `page` that run, as one script."""
    return "\n".join(block.text for block in blocks(page) if block.excuse is None)


def pages() -> list[str]:
    """Every page of the documentation that people read."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [str(path.relative_to(ROOT)) for path in found]
