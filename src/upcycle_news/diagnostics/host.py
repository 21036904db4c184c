"""Checks of the host: Python, the installed packages, the time zone, secrets on disk."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from upcycle_news.diagnostics.results import (
    CheckResult,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.i18n.messages import LocalizedText, localized

DISTRIBUTION = "upcycle-news"
LOCK = "requirements.lock"
# What happens beyond the bounds of our own pyproject.toml (docs/dependencies.md, "Pins").
_CONSEQUENCES = {
    "sqlalchemy": localized("doctor-sqlalchemy"),
    "fastapi": localized("doctor-fastapi"),
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

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as JSON holds them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Return the facts from `as_dict`."""
        unfit, unlocked = (
            None if packages is None else tuple(Package(**one) for one in packages)
            for packages in (record["unfit"], record["unlocked"])
        )
        return cls(record["python"], unfit or (), unlocked)


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
    results = [ok("python", localized("doctor-python", version=facts.python))]
    for package in facts.unfit:
        results.append(
            problem(
                "packages",
                localized(
                    "doctor-package-unfit",
                    name=package.name,
                    installed=package.installed,
                    wanted=package.wanted,
                ),
                impact=_CONSEQUENCES.get(package.name, localized("doctor-package-unfit-means")),
                fix=localized("doctor-pip-install", name=package.name, wanted=package.wanted),
                about=package.name,
            )
        )
    if facts.unfit:
        return results
    if facts.unlocked is None:
        return [
            *results,
            ok("packages", localized("doctor-packages-fit")),
        ]
    if facts.unlocked:
        named = ", ".join(f"{p.name} {p.installed} ({p.wanted})" for p in facts.unlocked[:4])
        more = (
            localized("doctor-and-more", count=len(facts.unlocked) - 4)
            if len(facts.unlocked) > 4
            else ""
        )
        return [
            *results,
            warning(
                "packages",
                localized("doctor-packages-differ", named=named, more=more),
                impact=localized("doctor-packages-differ-mean"),
                fix=localized("doctor-packages-differ-cure", lock=LOCK),
            ),
        ]
    return [*results, ok("packages", localized("doctor-packages-locked", lock=LOCK))]


def evaluate_zones(publication: str, schedules: Iterable[str]) -> CheckResult:
    """Compare the time zones of the schedules with the publication's."""
    others = sorted(set(schedules) - {publication})
    if not others:
        return ok("timezone", localized("doctor-zone-ok", publication=publication))
    return warning(
        "timezone",
        localized("doctor-zone-differs", publication=publication, others=", ".join(others)),
        impact=localized("doctor-zone-differs-means"),
        fix=localized("doctor-zone-differs-cure"),
    )


def evaluate_keys(
    folder: SecretFile, keys: Sequence[SecretFile], *, in_use: bool
) -> list[CheckResult]:
    """Evaluate the keys in var/secrets; `in_use`: mails with links they signed may have gone out."""
    tokens = [key for key in keys if key.name.startswith("token-")]
    if not tokens and not in_use:
        return [skipped("secrets", localized("doctor-keys-none"))]
    if not tokens:
        return [
            problem(
                "secrets",
                localized("doctor-keys-gone", folder=folder.name),
                impact=localized("doctor-keys-gone-mean"),
                fix=localized("doctor-keys-gone-cure"),
            )
        ]
    exposed = [file.name for file in (folder, *keys) if file.is_exposed]
    if exposed:
        return [
            problem(
                "secrets",
                localized("doctor-exposed", names=", ".join(exposed)),
                impact=localized("doctor-keys-exposed-mean"),
                fix=localized("doctor-keys-exposed-cure", folder=folder.name),
            )
        ]
    return [ok("secrets", localized("doctor-keys-ok", folder=folder.name))]


def unreadable_keys(path: str, reason: LocalizedText) -> CheckResult:
    """Return the result for keys, or a folder of them, that this user may not read."""
    return problem(
        "secrets",
        localized("doctor-not-readable", path=path, why=reason),
        impact=localized("doctor-keys-unreadable-means"),
        fix=localized("doctor-keys-unreadable-cure"),
    )


def evaluate_secret_files(files: Iterable[SecretFile]) -> list[CheckResult]:
    """Evaluate the files that `…_FILE` variables name."""
    exposed = [file.name for file in files if file.is_exposed]
    if not exposed:
        return []
    return [
        warning(
            "secret-files",
            localized("doctor-secret-files", names=", ".join(exposed)),
            impact=localized("doctor-secret-files-mean"),
            fix=localized("doctor-secret-files-cure"),
        )
    ]
