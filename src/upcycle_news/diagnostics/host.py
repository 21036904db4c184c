"""The machine: Python, the installed packages, the time zone, secrets on disk."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from upcycle_news.diagnostics.results import (
    Line,
    ok,
    problem,
    skipped,
    warning,
)

DISTRIBUTION = "upcycle-news"
LOCK = "requirements.lock"
# What happens beyond the bounds of our own pyproject.toml (docs/dependencies.md, "Pins").
_CONSEQUENCES = {
    "sqlalchemy": "Prefect looks healthy and never creates a scheduled run",
    "fastapi": "Prefect's server cannot start, and every flow fails",
}


@dataclass(frozen=True)
class Package:
    """A package that does not fit: what is installed, and what is wanted."""

    name: str
    installed: str
    wanted: str


@dataclass(frozen=True)
class MachineFacts:
    """`unfit` breaks a bound of ours; `unlocked` differs from the lock, None without a lock."""

    python: str
    unfit: tuple[Package, ...]
    unlocked: tuple[Package, ...] | None


@dataclass(frozen=True)
class Secret:
    """A file with a secret: who else may read it stands in `mode` (as in stat); -1: not there."""

    name: str
    mode: int

    @property
    def open(self) -> bool:
        """Whether others than the owner may read it."""
        return self.mode != -1 and bool(self.mode & (stat.S_IRWXG | stat.S_IRWXO))


def look(lock: Path) -> MachineFacts:
    """Compare what is installed with our bounds and with the lock."""
    from packaging.utils import canonicalize_name

    installed: dict[str, str] = {
        canonicalize_name(found.metadata["Name"]): found.version
        for found in metadata.distributions()
    }
    try:
        locked = locked_versions(lock.read_text(encoding="utf-8"))
    except OSError:
        locked = None
    return MachineFacts(
        python=".".join(map(str, sys.version_info[:3])),
        unfit=tuple(_unfit(installed)),
        unlocked=None if locked is None else tuple(differences(installed, locked)),
    )


def _unfit(installed: Mapping[str, str]) -> Iterable[Package]:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for text in metadata.requires(DISTRIBUTION) or ():
        wanted = Requirement(text)
        name = canonicalize_name(wanted.name)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        version = installed.get(name, "")
        if not version or not wanted.specifier.contains(version, prereleases=True):
            yield Package(name, version or "nothing", str(wanted.specifier))


def locked_versions(text: str) -> dict[str, str]:
    r"""The versions of a lock: lines such as ``name==1.2 ; marker \\``."""
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, rest = line.partition("==")
        if equals and name and not name.startswith((" ", "#", "-")):
            found[canonicalize_name(name.strip())] = rest.split()[0].rstrip(";\\")
    return found


def differences(installed: Mapping[str, str], locked: Mapping[str, str]) -> Iterable[Package]:
    """Installed packages of another version than the locked one."""
    for name, version in sorted(locked.items()):
        if name in installed and installed[name] != version:
            yield Package(name, installed[name], version)


def secret_at(path: Path, name: str) -> Secret:
    """How a secret lies on the disk."""
    try:
        return Secret(name, stat.S_IMODE(path.stat().st_mode))
    except OSError:
        return Secret(name, -1)


def verdict(facts: MachineFacts) -> list[Line]:
    """Python and the packages."""
    lines = [ok("python", f"Python {facts.python}")]
    for one in facts.unfit:
        lines.append(
            problem(
                "packages",
                f"{one.name} {one.installed} is installed, {one.wanted} is needed",
                meaning=_CONSEQUENCES.get(one.name, "it is not tested, and may break at any time"),
                cure=f"pip install '{one.name}{one.wanted}'",
                about=one.name,
            )
        )
    if facts.unfit:
        return lines
    if facts.unlocked is None:
        return [
            *lines,
            ok("packages", "the installed packages are within the bounds of upcycle-news"),
        ]
    if facts.unlocked:
        named = ", ".join(f"{p.name} {p.installed} ({p.wanted})" for p in facts.unlocked[:4])
        more = f" and {len(facts.unlocked) - 4} more" if len(facts.unlocked) > 4 else ""
        return [
            *lines,
            warning(
                "packages",
                f"other versions than locked: {named}{more}",
                meaning="the tests ran with the locked ones (in brackets)",
                cure=f"install from {LOCK}: 'make .venv/.installed', or pip with --require-hashes",
            ),
        ]
    return [*lines, ok("packages", f"the installed packages are those of {LOCK}")]


def zones(publication: str, schedules: Iterable[str]) -> Line:
    """Whether the schedules run on the publication's clock."""
    others = sorted(set(schedules) - {publication})
    if not others:
        return ok("timezone", f"the publication's clock is that of {publication}")
    return warning(
        "timezone",
        f"the publication's time zone is {publication}, schedules run in {', '.join(others)}",
        meaning="an issue planned for the morning may be dated and sent on another day",
        cure="write the same zone into newsletter.toml and prefect.yaml",
    )


def secrets(folder: Secret, keys: Sequence[Secret], *, in_use: bool) -> list[Line]:
    """The keys in var/secrets; `in_use`: mails may have gone out that were signed with them."""
    tokens = [key for key in keys if key.name.startswith("token-")]
    if not tokens and not in_use:
        return [skipped("secrets", "there are no keys yet: the first issue makes them")]
    if not tokens:
        return [
            problem(
                "secrets",
                f"the key of the readers' links is missing in {folder.name}",
                meaning="no unsubscribe link in mails that were sent works; the next command makes a "
                "new key, and then they never will again",
                cure="restore the folder from a backup before anything else",
            )
        ]
    readable = [one.name for one in (folder, *keys) if one.open]
    if readable:
        return [
            problem(
                "secrets",
                f"others on this machine can read {', '.join(readable)}",
                meaning="they can sign links in every reader's name, and mail in ours",
                cure=f"chmod 700 {folder.name}; chmod 600 {folder.name}/*",
            )
        ]
    return [ok("secrets", f"the keys in {folder.name} are there, and readable for us only")]


def secret_files(files: Iterable[Secret]) -> list[Line]:
    """Files that `…_FILE` variables name."""
    readable = [one.name for one in files if one.open]
    if not readable:
        return []
    return [
        warning(
            "secret-files",
            f"others on this machine can read what {', '.join(readable)} names",
            meaning="passwords and keys are as safe as the files they stand in",
            cure="chmod 600 these files",
        )
    ]
