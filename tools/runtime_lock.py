"""Print the part of requirements.lock that the installed program needs, development left out.

    python tools/runtime_lock.py [EXTRA…]      (such as postgres)

Follows the requirements of pyproject.toml through the metadata of the installed packages. What is printed
fits every Python that is supported, not only the one that prints it: a package that another one needs is
there with its marker, and what such a package needs itself has to be reached on another way.
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
    """Write the lock's blocks of every package that is reached."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    texts = [
        *project["project"]["dependencies"],
        *(t for name in sys.argv[1:] for t in extras[name]),
    ]
    waiting = [Requirement(text) for text in texts]
    reached: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, frozenset(requirement.extras)) in reached:
            continue
        reached.add((name, frozenset(requirement.extras)))
        waiting += _needs(name, requirement.extras)
    names = {name for name, _ in reached}
    blocks = re.split(r"\n(?=[A-Za-z])", (ROOT / "requirements.lock").read_text("utf-8").strip())
    for block in blocks:
        if canonicalize_name(re.split(r"[=\[ ]", block, maxsplit=1)[0]) in names:
            print(block)
    return 0


def _needs(name: str, extras: set[str]) -> list[Requirement]:
    """What an installed package requires with these extras, on one Python or another."""
    try:
        texts = requires(name) or []
    except PackageNotFoundError:  # not for this platform
        return []
    found = []
    for text in texts:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(
            marker.evaluate({"extra": extra, **_environment(python)})
            for extra in {"", *extras}
            for python in PYTHONS
        ):
            found.append(requirement)
    return found


def _environment(python: str) -> dict[str, str]:
    return {"python_full_version": python, "python_version": python.rpartition(".")[0]}


if __name__ == "__main__":
    sys.exit(main())
