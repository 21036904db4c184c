"""Git in the content folder: `git pull --ff-only` where there is an upstream, and the user's name."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from upcycle_news.i18n.messages import LocalizedText, localized

TIMEOUT = 60
"""Seconds that one git command may take."""

# Pieces of git's messages, and the reason they stand for.
_REASONS = (
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
_SLOW = localized("pull-slow", seconds=TIMEOUT)


def pull(home: Path) -> str:
    """Pull if there is an upstream; returns the English sentence of a failure, else "".

    Never asks for a password and never merges: a person has to resolve what is not a fast-forward.
    """
    try:
        if not (home / ".git").exists() and run_git(home, "rev-parse", "--git-dir").returncode:
            return ""
        if run_git(
            home, "rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}"
        ).returncode:
            return ""
        result = run_git(home, "pull", "--ff-only", "--quiet")
    except FileNotFoundError:
        return ""
    except (OSError, subprocess.TimeoutExpired):
        return str(_SLOW)
    if result.returncode == 0:
        return ""
    return str(localized("pull-failed", why=_reason(result.stderr)))


def localize_pull_failure(sentence: str) -> LocalizedText:
    """Return the text behind a sentence of `pull`: the store keeps the English one."""
    reasons = dict.fromkeys([*(reason for _, reason in _REASONS), _UNKNOWN])
    texts = [_SLOW, *(localized("pull-failed", why=reason) for reason in reasons)]
    unknown = localized("untranslated", text=sentence)
    return next((text for text in texts if str(text) == sentence), unknown)


def git_user_name(home: Path) -> str:
    """Return git's ``user.name`` in this folder; empty where it is not set."""
    try:
        return " ".join(run_git(home, "config", "user.name").stdout.split())
    except (OSError, subprocess.TimeoutExpired):
        return ""


def git_commit(home: Path) -> str:
    """Return the commit that is checked out in this folder; empty outside a checkout."""
    try:
        process = run_git(home, "rev-parse", "HEAD")
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return process.stdout.strip() if process.returncode == 0 else ""


def run_git(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run git in a folder, with these variables; it never asks for a password.

    Raises `OSError` where git is not installed, and `subprocess.TimeoutExpired` after `TIMEOUT`.
    """
    environment = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
        "LC_ALL": "C",
        **variables,
    }
    return subprocess.run(  # noqa: S603  fixed arguments, no foreign text
        ["git", *arguments],  # noqa: S607
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _reason(output: str) -> LocalizedText:
    """Return why git failed; its output is not quoted, for a remote's URL may hold a token."""
    output = output.lower()
    return next((reason for piece, reason in _REASONS if piece in output), _UNKNOWN)
