"""Commands, settings, states and dependencies are documented."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))


def test_the_reference_is_up_to_date() -> None:
    from reference import reference_pages

    for path, text in reference_pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run tools/reference.py"


def test_every_command_shows_an_example() -> None:
    text = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    commands = re.split(r"(?m)^### `upcycle-news ", text)[1:]
    without = [part.split("`")[0] for part in commands if "Example: `upcycle-news" not in part]
    assert commands
    assert not without


def test_a_state_that_two_kinds_share_is_explained_for_each() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert "- `sending`: is being sent by one worker" in text
    assert "- `sending`: is frozen; its deliveries are sent" in text
    settings = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    assert "PydanticUndefined" not in settings, "the default of a factory is missing"


def test_every_runtime_dependency_has_its_reason() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    names = [re.split(r"[\[<>=~! ]", text)[0] for text in [*project["dependencies"], *extras]]
    assert not [name for name in names if name not in reasons]


def test_no_committed_file_names_a_machine_or_an_index() -> None:
    import subprocess

    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = listed.stdout.split()
    if listed.returncode != 0 or not names:  # an unpacked sdist
        names = [str(p.relative_to(ROOT)) for p in (ROOT / "src").rglob("*") if p.is_file()]
    pattern = re.compile(
        r"(?:^|[^A-Za-z0-9_.])/(?:" + "work|farm|root" + r")/|index-" + r"url"
        r"|\"resolved\": *\"https?://|BEGIN (?:RSA |EC )?PRIVATE" + " KEY"
    )
    matches = []
    for name in names:
        path = ROOT / name
        if path.suffix in {".png", ".jpg", ".svg"} or not path.is_file():
            continue
        for number, line in enumerate(path.read_text("utf-8", errors="ignore").splitlines(), 1):
            if pattern.search(line):
                matches.append(f"{name}:{number}: {line.strip()[:80]}")
    assert not [match for match in matches if not match.startswith("tests/docs/")]
