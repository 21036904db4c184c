"""The command blocks of the documentation, and the reasons why some do not run in tests.

A block is a fence marked ``sh``. A comment in the line above, ``<!-- not run: REASON -->``, says why
it does not run in the tests.
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
    """A block of commands of `page` (relative to the project); `excuse` is why it does not run."""

    page: str
    text: str
    excuse: str | None


def blocks(page: str) -> list[Block]:
    """Return the blocks of `page` in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(page, match["text"], match["excuse"]) for match in _BLOCK.finditer(text)]


def script(page: str) -> str:
    """Return all blocks of `page` that run, as one script."""
    return "\n".join(block.text for block in blocks(page) if block.excuse is None)


def pages() -> list[str]:
    """Return every page of the documentation."""
    docs = ROOT / "docs"
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(docs.glob("*.md"))]
    paths += sorted((docs / "providers").glob("*.md"))
    return [str(path.relative_to(ROOT)) for path in paths]
