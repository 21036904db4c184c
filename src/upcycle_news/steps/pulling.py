"""What git knows: the editors' pushes (`git pull --ff-only`, where there is an upstream), a name."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SECONDS = 60
MAY_BE_OLD = "; the content may be old"


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
        return f"git pull did not end within {SECONDS} seconds{MAY_BE_OLD}"
    if done.returncode == 0:
        return ""
    return f"git pull failed ({_why(done.stderr)}){MAY_BE_OLD}"


def user_name(home: Path) -> str:
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


def _why(said: str) -> str:
    """What git's own words mean; they may hold a token of the remote's address, so no quoting."""
    said = said.lower()
    for piece, meaning in (
        ("not possible to fast-forward", "this checkout and its upstream have parted"),
        ("diverging", "this checkout and its upstream have parted"),
        ("would be overwritten", "files here were changed and not committed"),
        ("could not read username", "the upstream asks for a login"),
        ("authentication failed", "the upstream refused the login"),
        ("permission denied", "the upstream refused the login"),
        ("could not resolve", "the upstream cannot be reached"),
        ("unable to access", "the upstream cannot be reached"),
        ("does not appear to be a git repository", "the upstream is not there"),
        ("no such ref", "the upstream's branch is not there"),
        ("index.lock", "another git is at work here"),
    ):
        if piece in said:
            return meaning
    return "see 'git pull --ff-only' by hand"
