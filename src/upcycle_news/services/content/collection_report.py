"""What came of collecting posts and of taking drafts: values for commands, flows and programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models.runs import RunResult

Outcome = Literal["new", "updated", "changed", "refused", "gone"]


@dataclass(frozen=True)
class PostReport:
    """What became of a post that is new or changed.

    `outcome`: an essay was made ("new"), renewed ("updated"), the change is only shown since somebody
    edited it ("changed"), it made no essay ("refused"), or the site no longer has it ("gone"). `name` is
    the draft's. `notes` say what was not carried over; `diff` is the change as a unified diff.
    `failed`: something has to be done about it.
    """

    source: str
    title: str
    outcome: Outcome
    sentence: LocalizedText
    name: str = ""
    notes: tuple[LocalizedText, ...] = ()
    diff: str = ""
    failed: bool = False

    def as_dict(self, language: str) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "source": self.source,
            "title": self.title,
            "outcome": self.outcome,
            "name": self.name,
            "sentence": self.sentence.in_language(language),
            "notes": [note.in_language(language) for note in self.notes],
            "diff": self.diff,
        }


@dataclass(frozen=True)
class EssayRunReport:
    """The result of a collection: posts that are new or changed, and sources that failed, by name.

    `problems` are about parts of a feed that could not be read. `pull` is why `git pull` failed.
    """

    posts: tuple[PostReport, ...] = ()
    unchanged: int = 0
    failed: tuple[tuple[str, LocalizedText], ...] = ()
    problems: tuple[tuple[str, LocalizedText], ...] = ()
    pull: LocalizedText | None = None

    @property
    def is_complete(self) -> bool:
        """True when all sources answered, and nothing waits for a person because it went wrong."""
        return not (self.failed or self.pull or any(post.failed for post in self.posts))

    def count(self, outcome: Outcome) -> int:
        """Return how many posts ended so."""
        return sum(post.outcome == outcome for post in self.posts)

    def as_dict(self, language: str) -> dict[str, Any]:
        """Return the JSON form, with sentences in a language."""
        return {
            "posts": [post.as_dict(language) for post in self.posts],
            "unchanged": self.unchanged,
            "failed": [
                {"source": name, "error": text.in_language(language)} for name, text in self.failed
            ],
            "problems": [
                {"source": name, "problem": text.in_language(language)}
                for name, text in self.problems
            ],
            "pull": self.pull.in_language(language) if self.pull else "",
        }


@dataclass(frozen=True)
class WaitingDraft:
    """A draft that can be taken; `is_update`: the essay is there, and the site changed its text."""

    name: str
    title: str
    source: str
    is_update: bool

    @property
    def line(self) -> LocalizedText:
        """What it is, on one line."""
        if self.is_update:
            return localized(
                "take-update-waits", name=self.name, title=self.title, source=self.source
            )
        return localized("take-waits", name=self.name, title=self.title, source=self.source)


@dataclass(frozen=True)
class TakenDraft:
    """What became of a draft: the essay's path, or why it was not taken; `note` says what to look at."""

    name: str
    essay: Path | None = None
    note: LocalizedText | None = None
    error: UpcycleError | None = None


def essays_result(report: EssayRunReport | None, language: str = "en") -> RunResult:
    """Return the result of collect-essays; Degraded when something waits for a person."""
    if report is None:
        return RunResult(
            "completed", "Completed", localized("collect-no-source").in_language(language)
        )
    counts = localized(
        "collect-counts",
        new=localized("count-new-drafts", count=report.count("new")),
        renewed=report.count("updated"),
    )
    texts = [
        localized("collect-item", title=post.title, source=post.source, sentence=post.sentence)
        for post in report.posts
        if post.failed or post.outcome in ("changed", "gone")
    ]
    texts += [
        localized("collect-source-failed", source=name, reason=reason)
        for name, reason in report.failed
    ]
    if report.pull is not None:
        texts.append(report.pull)
    name = "Completed" if report.is_complete else "Degraded"
    return RunResult(
        "completed", name, "; ".join(text.in_language(language) for text in (counts, *texts))
    )
