"""docs/checks.md explains exactly the codes that checks can report."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = re.compile(
    r'(?:error|warning|Finding|_finding)\(\s*(?:context,\s*)?(?:"(?:error|warning)",\s*)?"([a-z]+(?:-[a-z]+)*)"'
)


def test_every_code_is_documented_and_no_other() -> None:
    codes: set[str] = set()
    for folder in ("checks", "rendering", "services"):
        for path in sorted((ROOT / "src/upcycle_news" / folder).rglob("*.py")):
            codes |= set(CODE.findall(path.read_text(encoding="utf-8")))
    reference = (ROOT / "docs/checks.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in reference.splitlines() if line.startswith("| `")]
    assert codes - {"error", "warning"} == set(re.findall(r"`([a-z-]+)`", " ".join(rows)))
