"""Every code that a check can say is explained in docs/checks.md, and none that it cannot."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAYS = re.compile(
    r'(?:error|warning|Finding|_finding)\(\s*(?:"(?:error|warning)",\s*)?"([a-z]+(?:-[a-z]+)*)"'
)


def test_every_code_is_explained_and_no_other() -> None:
    said: set[str] = set()
    for folder in ("checks", "rendering", "services"):
        for path in sorted((ROOT / "src/upcycle_news" / folder).rglob("*.py")):
            said |= set(SAYS.findall(path.read_text(encoding="utf-8")))
    told = (ROOT / "docs/checks.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in told.splitlines() if line.startswith("| `")]
    assert said - {"error", "warning"} == set(re.findall(r"`([a-z-]+)`", " ".join(rows)))
