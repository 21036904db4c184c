"""What git knows: the editors' pushes (`git pull --ff-only`, where there is an upstream), a name."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from upcycle_news.i18n.messages import LocalizedText, localized

SECONDS = 60

# What git's own words mean.
_MEANINGS = (
    ("not possible to fast-forward", localized("pull-parted")),
    ("diverging", localized("pull-parted")),
    ("would be overwritten", localized("pull-uncommitted")),
    ("could not read username", localized("pull-login")),
    ("authentication failed", localized("pull-refused")),
    ("permission denied", localized("pull-refused")),
    ("could not resolve", localized("pull-unreachable")),
    ("unable to access", localized("pull-unreachable")),
    ("does not appear to be a git repository", localized("pull-no-upstream")),
    ("no such ref", localized("pull-no-branch")),
    ("index.lock", localized("pull-locked")),
)
_UNKNOWN = localized("pull-unknown")
_SLOW = localized("pull-slow", seconds=SECONDS)


def pull(home: Path) -> str:
    """Pull, if there is anything to pull from; returns a sentence when that failed, else nothing.

    Never asks for a password and never merges: what cannot be fast-forwarded is a person's matter.
    """
    try:
        if not (home / ".git").exists() and _git(home, "rev-parse", "--git-dir").returncode:
            return ""
        if _git(
            home, "rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}"
        ).returncode:
            return ""
        done = _git(home, "pull", "--ff-only", "--quiet")
    except FileNotFoundError:
        return ""
    except (OSError, subprocess.TimeoutExpired):
        return str(_SLOW)
    if done.returncode == 0:
        return ""
    return str(localized("pull-failed", why=_why(done.stderr)))


def localize_pull_failure(told: str) -> LocalizedText:
    """What `pull` told, found again for other languages: the store keeps the English sentence."""
    whys = dict.fromkeys([*(meaning for _, meaning in _MEANINGS), _UNKNOWN])
    known = [_SLOW, *(localized("pull-failed", why=why) for why in whys)]
    return next((one for one in known if str(one) == told), localized("untranslated", text=told))


def git_user_name(home: Path) -> str:
    """Who works here, as git knows them (``user.name``); empty where it does not."""
    try:
        return " ".join(_git(home, "config", "user.name").stdout.split())
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _git(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    quiet = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
        "LC_ALL": "C",
    }
    return subprocess.run(  # noqa: S603  our own words, no foreign text
        ["git", *arguments],  # noqa: S607
        cwd=home,
        env=quiet,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _why(said: str) -> LocalizedText:
    """What git's own words mean; they may hold a token of the remote's address, so no quoting."""
    said = said.lower()
    return next((meaning for piece, meaning in _MEANINGS if piece in said), _UNKNOWN)
