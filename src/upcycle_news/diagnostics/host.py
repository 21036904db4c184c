"""Checks of the host: Python, the installed packages, the time zone, secrets on disk."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from upcycle_news.diagnostics.results import (
    CheckResult,
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
    """A package whose installed version differs from the wanted version or range."""

    name: str
    installed: str
    wanted: str


@dataclass(frozen=True)
class HostFacts:
    """Python and packages: `unfit` violate pyproject.toml; `unlocked` differ from the lock (None: no lock)."""

    python: str
    unfit: tuple[Package, ...]
    unlocked: tuple[Package, ...] | None


@dataclass(frozen=True)
class SecretFile:
    """A file or folder that holds secrets; `mode` as in stat, -1 when it does not exist."""

    name: str
    mode: int

    @property
    def is_exposed(self) -> bool:
        """True if others than the owner have any access to it."""
        return self.mode != -1 and bool(self.mode & (stat.S_IRWXG | stat.S_IRWXO))


def inspect_host(lock: Path) -> HostFacts:
    """Compare the installed packages with the ranges of pyproject.toml and with the lock."""
    from packaging.utils import canonicalize_name

    installed: dict[str, str] = {
        canonicalize_name(distribution.metadata["Name"]): distribution.version
        for distribution in metadata.distributions()
    }
    try:
        locked = locked_versions(lock.read_text(encoding="utf-8"))
    except OSError:
        locked = None
    return HostFacts(
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
    r"""Return the versions of a lock by name; its lines look like ``name==1.2 ; marker \\``."""
    from packaging.utils import canonicalize_name

    versions: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, rest = line.partition("==")
        if equals and name and not name.startswith((" ", "#", "-")):
            versions[canonicalize_name(name.strip())] = rest.split()[0].rstrip(";\\")
    return versions


def differences(installed: Mapping[str, str], locked: Mapping[str, str]) -> Iterable[Package]:
    """Yield the packages that are installed in another version than the locked one."""
    for name, version in sorted(locked.items()):
        if name in installed and installed[name] != version:
            yield Package(name, installed[name], version)


def inspect_secret(path: Path, name: str) -> SecretFile:
    """Return the permissions of a file or folder under the name that the report shows."""
    try:
        return SecretFile(name, stat.S_IMODE(path.stat().st_mode))
    except OSError:
        return SecretFile(name, -1)


def evaluate(facts: HostFacts) -> list[CheckResult]:
    """Evaluate Python and the packages."""
    results = [ok("python", f"Python {facts.python}")]
    for package in facts.unfit:
        results.append(
            problem(
                "packages",
                f"{package.name} {package.installed} is installed, {package.wanted} is needed",
                impact=_CONSEQUENCES.get(
                    package.name, "it is not tested, and may break at any time"
                ),
                fix=f"pip install '{package.name}{package.wanted}'",
                about=package.name,
            )
        )
    if facts.unfit:
        return results
    if facts.unlocked is None:
        return [
            *results,
            ok("packages", "the installed packages are within the bounds of upcycle-news"),
        ]
    if facts.unlocked:
        named = ", ".join(f"{p.name} {p.installed} ({p.wanted})" for p in facts.unlocked[:4])
        more = f" and {len(facts.unlocked) - 4} more" if len(facts.unlocked) > 4 else ""
        return [
            *results,
            warning(
                "packages",
                f"other versions than locked: {named}{more}",
                impact="the tests ran with the locked ones (in brackets)",
                fix=f"install from {LOCK}: 'make .venv/.installed', or pip with --require-hashes",
            ),
        ]
    return [*results, ok("packages", f"the installed packages are those of {LOCK}")]


def evaluate_zones(publication: str, schedules: Iterable[str]) -> CheckResult:
    """Compare the time zones of the schedules with the publication's."""
    others = sorted(set(schedules) - {publication})
    if not others:
        return ok("timezone", f"publication and schedules use the time zone {publication}")
    return warning(
        "timezone",
        f"the publication's time zone is {publication}, schedules run in {', '.join(others)}",
        impact="an issue planned for the morning may be dated and sent on another day",
        fix="write the same zone into newsletter.toml and prefect.yaml",
    )


def evaluate_keys(
    folder: SecretFile, keys: Sequence[SecretFile], *, in_use: bool
) -> list[CheckResult]:
    """Evaluate the keys in var/secrets; `in_use`: mails with links they signed may have gone out."""
    tokens = [key for key in keys if key.name.startswith("token-")]
    if not tokens and not in_use:
        return [skipped("secrets", "there are no keys yet: the first issue makes them")]
    if not tokens:
        return [
            problem(
                "secrets",
                f"the key of the subscribers' links is missing in {folder.name}",
                impact="no unsubscribe link in mails that were sent works; the next command makes a "
                "new key, and then they never will again",
                fix="restore the folder from a backup before anything else",
            )
        ]
    exposed = [file.name for file in (folder, *keys) if file.is_exposed]
    if exposed:
        return [
            problem(
                "secrets",
                f"others on this machine can read {', '.join(exposed)}",
                impact="they can sign links in every subscriber's name, and mail in ours",
                fix=f"chmod 700 {folder.name}; chmod 600 {folder.name}/*",
            )
        ]
    return [ok("secrets", f"the keys in {folder.name} are there, and readable by their owner only")]


def unreadable_keys(path: str, reason: str) -> CheckResult:
    """Return the result for keys, or a folder of them, that this user may not read."""
    return problem(
        "secrets",
        f"{path} cannot be read ({reason})",
        impact="no mail can be made and no subscriber can confirm or unsubscribe",
        fix="run as the user that it belongs to, or make it readable for this one (folder 700, files 600)",
    )


def evaluate_secret_files(files: Iterable[SecretFile]) -> list[CheckResult]:
    """Evaluate the files that `…_FILE` variables name."""
    exposed = [file.name for file in files if file.is_exposed]
    if not exposed:
        return []
    return [
        warning(
            "secret-files",
            f"others on this machine can read the file that {', '.join(exposed)} names",
            impact="passwords and keys are as safe as the files they stand in",
            fix="chmod 600 these files",
        )
    ]
