"""Check that a tag, the version and the changelog name the same release.

`python tools/check_release.py v1.2.3` ends with 1 and a sentence when they do not.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_VERSION = ROOT / "src/upcycle_news/version.py"
_RELEASE = re.compile(r"^## \[(?P<version>\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", re.MULTILINE)


def find_mismatch(tag: str, version: str, changelog: str) -> str | None:
    """Return why `tag` must not be released as a sentence, None when it may."""
    if tag != f"v{version}":
        return f"pyproject.toml: the version is {version}, the tag {tag}; set both to the same"
    newest = _RELEASE.search(changelog)
    if newest is None or newest["version"] != version:
        return (
            f"CHANGELOG.md: the newest release is not {version}; "
            f"turn 'Unreleased' into '## [{version}] - YYYY-MM-DD'"
        )
    return None


def main(tag: str) -> int:
    """Return 0 when `tag` may be released, else print why and return 1."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if f'__version__ = "{project["version"]}"' not in _VERSION.read_text(encoding="utf-8"):
        print(
            f"{_VERSION.relative_to(ROOT)}: the version is not {project['version']}",
            file=sys.stderr,
        )
        return 1
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if (mismatch := find_mismatch(tag, project["version"], changelog)) is not None:
        print(mismatch, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: python tools/check_release.py v1.2.3", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1]))
