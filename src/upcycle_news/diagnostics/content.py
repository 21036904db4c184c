"""What goes into the mail: feeds, the size of the last issue, and what `check` finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.diagnostics.results import (
    Line,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.i18n.messages import counted
from upcycle_news.models import Finding
from upcycle_news.rendering.render import LARGE, TOO_LARGE

_DEAD_AFTER = 5  # failures in a row, as in the alarms
_OLD = timedelta(days=2)


@dataclass(frozen=True)
class LastIssue:
    """Sizes of the newest rendered issue in bytes: its HTML part, and the whole message."""

    id: str
    html: int
    message: int


def feeds(known: Sequence[Mapping[str, Any]], now: datetime) -> list[Line]:
    """How the feeds do, from what `feeds health` tells of each."""
    active = [one for one in known if one["active"]]
    if not active:
        return [skipped("feeds", "no feed is listed: issues are made of essays alone")]
    tried = [datetime.fromisoformat(one["tried_at"]) for one in active if one["tried_at"]]
    if not tried:
        return [
            skipped(
                "feeds",
                f"none of {counted(len(active), 'feed')} was asked yet",
                cure="run 'upcycle-news feeds collect'",
            )
        ]
    lines = []
    if now - max(tried) > _OLD:
        lines.append(
            warning(
                "feeds",
                f"no feed was asked since {max(tried):%Y-%m-%d %H:%M} UTC",
                meaning="issues are made of old news",
                cure="look whether the schedule of collect-feeds runs, or collect by hand",
            )
        )
    dead = [one for one in active if one["stopped"] or one["errors"] >= _DEAD_AFTER]
    shaky = [one for one in active if one not in dead and one["errors"]]
    moved = [one for one in active if one["asked_at_address"] != one["url"]]
    if dead:
        make = problem if len(dead) == len(active) else warning
        lines.append(
            make(
                "feeds",
                f"{len(dead)} of {counted(len(active), 'feed')} dead: {_named(dead)}",
                meaning="nothing of them gets into an issue",
                cure="'upcycle-news feeds health' says why; mend the url in feeds.toml, or remove it",
            )
        )
    if moved:
        lines.append(
            warning(
                "feeds",
                f"{counted(len(moved), 'feed has', 'feeds have')} moved: {_named(moved)}",
                meaning="they are asked where they went; once the redirect ends they are lost",
                cure="write the new url into feeds.toml; 'upcycle-news feeds health' names it",
            )
        )
    if lines:
        return lines
    lately = f"; {len(shaky)} failed lately and are tried again" if shaky else ""
    return [ok("feeds", f"{counted(len(active), 'feed')}{lately or ', all well'}")]


def _named(some: Sequence[Mapping[str, Any]]) -> str:
    more = f" and {len(some) - 4} more" if len(some) > 4 else ""
    return ", ".join(str(one["name"]) for one in some[:4]) + more


def size(last: LastIssue | None) -> Line:
    """Whether Gmail shows the last issue whole."""
    if last is None:
        return skipped("issue-size", "no issue was rendered yet")
    said = f"the HTML part of issue {last.id} has {last.html / 1000:.0f} kB"
    cut = f"Gmail cuts mails off above {TOO_LARGE / 1000:.0f} kB, and with it imprint and way out"
    cure = 'fewer essays or items, or issue.length = "teaser"'
    if last.html > TOO_LARGE:
        return problem("issue-size", said, meaning=cut, cure=cure)
    if last.html > LARGE:
        return warning("issue-size", said, meaning=cut, cure=cure)
    return ok("issue-size", f"{said}; Gmail shows up to {TOO_LARGE / 1000:.0f} kB")


def checked(findings: Sequence[Finding]) -> Line:
    """What `upcycle-news check` would say."""
    errors = [one for one in findings if one.level == "error"]
    if errors:
        count = counted(len(errors), "error")
        return warning(
            "content",
            f"{count} in the content, the first: {errors[0].where}: {errors[0].code}",
            meaning="until this is mended the next issue is refused, or what the schedule starts fails",
            cure="'upcycle-news check' tells all of them with file and line",
        )
    count = counted(len(findings), "warning")
    hints = f"; {count}, see 'upcycle-news check'" if findings else ""
    return ok("content", f"essays, feeds.toml and templates are in order{hints}")
