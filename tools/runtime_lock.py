"""Print the part of requirements.lock that the installed program needs, development left out.

    python tools/runtime_lock.py [EXTRA…]      (such as postgres, or all)

Follows the requirements of pyproject.toml through the metadata of the installed packages. The output fits
every supported Python, not only the running one: a package that only another Python needs is included with
its marker, but its own requirements are included only if an installed package needs them as well.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
# The first and the last release of each: packages ask for `python_full_version < "3.11.3"`.
PYTHONS = [f"3.{minor}.{patch}" for minor in range(11, 15) for patch in (0, 99)]


def main() -> int:
    """Print the lock's block of every required package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = project["project"]
    extras = project["optional-dependencies"]
    texts = [
        *project["dependencies"],
        *(t for name in sys.argv[1:] for t in extras[name]),
    ]
    pending = [Requirement(text) for text in texts]
    visited: set[tuple[str, frozenset[str]]] = set()
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        if name == project["name"]:  # an extra of extras
            pending += [Requirement(text) for extra in requirement.extras for text in extras[extra]]
            continue
        if (name, frozenset(requirement.extras)) in visited:
            continue
        visited.add((name, frozenset(requirement.extras)))
        pending += _requirements(name, requirement.extras)
    names = {name for name, _ in visited}
    blocks = re.split(r"\n(?=[A-Za-z])", (ROOT / "requirements.lock").read_text("utf-8").strip())
    for block in blocks:
        if canonicalize_name(re.split(r"[=\[ ]", block, maxsplit=1)[0]) in names:
            print(block)
    return 0


def _requirements(name: str, extras: set[str]) -> list[Requirement]:
    """Return what an installed package requires with these extras, on any supported Python."""
    try:
        texts = requires(name) or []
    except PackageNotFoundError:  # not for this platform
        return []
    requirements = []
    for text in texts:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(
            marker.evaluate({"extra": extra, **_environment(python)})
            for extra in {"", *extras}
            for python in PYTHONS
        ):
            requirements.append(requirement)
    return requirements


def _environment(python: str) -> dict[str, str]:
    return {"python_full_version": python, "python_version": python.rpartition(".")[0]}


if __name__ == "__main__":
    sys.exit(main())
