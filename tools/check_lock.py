"""Check that requirements.lock fits pyproject.toml, names no index and has a hash for each line.

No network: every requirement of pyproject.toml must be satisfied by the pinned version.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Print each mistake; returns 1 when there is one."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    requirements = [
        *project["project"]["dependencies"],
        *(t for extra in project["project"]["optional-dependencies"].values() for t in extra),
        *project["dependency-groups"]["dev"],
    ]
    pinned = {
        canonicalize_name(name): version
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==([^\s;\\]+)", lock, re.M)
    }
    mistakes = []
    for text in requirements:
        requirement = Requirement(text)
        if requirement.name == project["project"]["name"]:  # an extra of extras
            continue
        version = pinned.get(canonicalize_name(requirement.name))
        if version is None:
            mistakes.append(f"{requirement.name} is not locked")
        elif not requirement.specifier.contains(version, prereleases=True):
            mistakes.append(f"{requirement.name} is locked at {version}, wanted is {text}")
    if re.search(r"https?://|--index|--find-links|--extra-index", lock):
        mistakes.append("the lock names an index or an address")
    blocks = re.split(r"\n(?=[A-Za-z])", lock.strip())
    mistakes += [
        f"no hash: {block.split()[0]}" for block in blocks if "--hash=sha256:" not in block
    ]
    for mistake in mistakes:
        print(f"requirements.lock: {mistake}: run 'make lock'")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
