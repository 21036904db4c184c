"""Drafts on branches of their own: ``collected/NAME`` in the repository that is set to be pushed to.

The checkout is not touched: commits are made in a bare repository under var/, upon what the remote
repository has at that moment. A branch is only made where there is none, or moved on from the commit
that was pushed last, which the server compares itself (``--force-with-lease``). So nobody's work is laid
over, however many push meanwhile, and the deployed branch is only ever pulled forward.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.services.content.drafts import Draft, drafts_folder
from upcycle_news.services.content.git_sync import TIMEOUT, run_git

_REASONS = (
    ("stale info", localized("push-exists")),
    ("could not read username", localized("push-login")),
    ("authentication failed", localized("push-refused")),
    ("permission denied", localized("push-refused")),
    ("could not resolve", localized("push-unreachable")),
    ("unable to access", localized("push-unreachable")),
    ("does not appear to be a git repository", localized("push-unreachable")),
    ("connection refused", localized("push-unreachable")),
    ("rejected", localized("push-rejected")),
    ("declined", localized("push-rejected")),
    ("couldn't find remote ref", localized("push-empty")),
)


@dataclass(frozen=True)
class Pushed:
    """The commit that a draft is now, or why it was not pushed."""

    commit: str = ""
    error: LocalizedText | None = None


class _GitError(Exception):
    """A step of git failed; its output is not quoted, for it may hold an address."""

    def __init__(self, reason: LocalizedText) -> None:
        super().__init__(str(reason))
        self.reason = reason


def branch_of(name: str) -> str:
    """Return the branch of a draft."""
    return f"collected/{name}"


def push_draft(context: AppContext, draft: Draft, title: str, *, expected: str) -> Pushed:
    """Commit a draft onto its branch and push it.

    `expected` is the commit that the branch must still be at, empty where there must be none.
    """
    try:
        return Pushed(_push(context, draft, title, expected))
    except _GitError as error:
        return Pushed(error=error.reason)
    except subprocess.TimeoutExpired:
        return Pushed(error=localized("push-slow", seconds=TIMEOUT))
    except OSError:
        return Pushed(error=localized("push-no-git"))


def _push(context: AppContext, draft: Draft, title: str, expected: str) -> str:
    address = context.settings.collect.push
    folder = drafts_folder(context) / ".git"
    index = drafts_folder(context) / f".index-{draft.name}"
    if not (folder / "HEAD").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _git(folder, "init", "--bare", "--quiet")
    reference = f"refs/heads/{branch_of(draft.name)}"
    start = reference if expected else _deployed_branch(context)
    _git(folder, "fetch", "--quiet", "--no-tags", "--depth", "1", address, start)
    parent = _git(folder, "rev-parse", "FETCH_HEAD^{commit}")
    if expected and parent != expected:
        raise _GitError(localized("push-exists"))
    index.unlink(missing_ok=True)
    try:
        commit = _commit(context, folder, index, draft, title, parent)
    finally:
        index.unlink(missing_ok=True)
    lease = f"--force-with-lease={reference}:{expected}"
    _git(folder, "push", "--quiet", "--no-verify", lease, address, f"{commit}:{reference}")
    return commit


def _deployed_branch(context: AppContext) -> str:
    """Return the branch that the publication follows, else the one the remote repository names."""
    home = context.settings.home
    upstream = run_git(home, "rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")
    _, slash, branch = upstream.stdout.strip().partition("/")
    return f"refs/heads/{branch}" if upstream.returncode == 0 and slash else "HEAD"


def _commit(
    context: AppContext, folder: Path, index: Path, draft: Draft, title: str, parent: str
) -> str:
    """Return a commit of the parent's files and the draft's; neither worktree nor index are used."""
    prefix = run_git(context.settings.home, "rev-parse", "--show-prefix").stdout.strip()
    variables = {"GIT_INDEX_FILE": str(index)}
    _git(folder, "read-tree", parent, **variables)
    for path, file in draft.files():
        blob = _git(folder, "hash-object", "-w", "--no-filters", str(file))
        entry = f"100644,{blob},{prefix}content/{path}"
        _git(folder, "update-index", "--add", "--cacheinfo", entry, **variables)
    tree = _git(folder, "write-tree", **variables)
    sender = context.settings.sender
    person = {
        "NAME": sender.name or context.settings.publication.name,
        "EMAIL": sender.address or "newsletter@localhost",
        "DATE": f"{int(context.clock().timestamp())} +0000",
    }
    for key, value in person.items():
        variables |= {f"GIT_AUTHOR_{key}": value, f"GIT_COMMITTER_{key}": value}
    message = str(title.replace("\0", ""))
    return _git(
        folder, "-c", "commit.gpgsign=false", "commit-tree", tree, "-p", parent, "-m", message,
        **variables,
    )  # fmt: skip


def _git(folder: Path, *arguments: str, **variables: str) -> str:
    """Return what git prints; raises `_GitError`."""
    done = run_git(folder, *arguments, **variables)
    if done.returncode:
        output = done.stderr.lower()
        unknown = localized("push-unknown")
        raise _GitError(next((reason for piece, reason in _REASONS if piece in output), unknown))
    return done.stdout.strip()
