"""`app.essays`: the files of essays, and where each of them stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from upcycle_news.app.context import AppContext
from upcycle_news.errors import ContentError
from upcycle_news.services.content.collection_report import (
    EssayRunReport,
    TakenDraft,
    WaitingDraft,
    essays_result,
)

if TYPE_CHECKING:
    from upcycle_news.models import Essay
    from upcycle_news.services.content.import_essays import ImportedFile
    from upcycle_news.services.issues.plan import EssayStatus

__all__ = ["EssayList", "EssayRunReport", "Essays", "TakenDraft", "WaitingDraft", "essays_result"]


@dataclass(frozen=True)
class EssayList:
    """The essays of a publication, newest first, and an error for each file that cannot be read."""

    essays: tuple[EssayStatus, ...]
    errors: tuple[ContentError, ...]


class Essays:
    """Makes, imports, collects and lists essays: Markdown files below content/essays."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def new(
        self,
        title: str,
        *,
        day: date | None = None,
        author: str | None = None,
        topics: Sequence[str] = (),
        translates: str = "",
        language: str | None = None,
    ) -> Path:
        """Make the file of a new draft and return its path.

        `day` defaults to today, `author` to git's user.name, `language` (``de`` or ``en``) to the
        publication's. `translates` is the slug of the essay whose translation it is, in the language that
        this essay lacks. Raises `ContentError` when an essay with this title is there already, and
        `UpcycleError` for an unknown essay or one that is translated; no file is overwritten.
        """
        from upcycle_news.services.content.new_essay import new_essay

        return new_essay(
            self._context,
            title,
            day=day,
            author=author,
            topics=topics,
            translates=translates,
            language=language,
        )

    def import_file(
        self,
        file: Path,
        title: str | None = None,
        *,
        day: date | None = None,
        author: str | None = None,
        language: str | None = None,
    ) -> Path:
        """Turn a manuscript into an essay that is ready, and return its path.

        It is .docx, .odt, .html, Markdown with any front matter, or plain text in any encoding; its
        pictures go to content/images. Without `title` or `author` the manuscript names them;
        `language` is ``de`` or ``en``, and follows from its words. Raises `ContentError` for what
        cannot be read or has no text or title, and when an essay with this title is there;
        `UpcycleError` for another language.
        """
        (result,) = self.import_files(
            [file], title=title, day=day, author=author, language=language
        )
        if result.error is not None:
            raise result.error
        assert result.essay is not None
        return result.essay

    def import_files(
        self,
        files: Sequence[Path],
        *,
        title: str | None = None,
        day: date | None = None,
        author: str | None = None,
        language: str | None = None,
        draft: bool = False,
        translates: str = "",
    ) -> tuple[ImportedFile, ...]:
        """Turn manuscripts, and all of a folder, into essays; return what became of each.

        A result holds the essay's path or the error that refused the file, and `notes`: a sentence
        for everything that was not carried over. A `draft` is in no issue. Otherwise as `import_file`; a `title` of several
        files is an `UpcycleError`. `translates` is the slug of the essay whose translation the one file is.
        """
        from upcycle_news.services.content.import_essays import import_essays

        return import_essays(
            self._context,
            files,
            title=title,
            day=day,
            author=author,
            language=language,
            draft=draft,
            translates=translates,
        )

    def collect(self, names: Collection[str] = ()) -> EssayRunReport:
        """Turn new posts of the organisation's own sites (`[[sources]]`) into drafts, each once.

        Drafts go onto branches ``collected/NAME`` where `collect.push` is set, else they wait under
        var/collected. A post that changed renews a draft that nobody edited; otherwise the difference
        is in the report. `names` selects sources, also those that are not active. A source that fails
        is in the report. Raises `UpcycleError` when there is no source, or none of that name, and
        while another collection runs.
        """
        from upcycle_news.services.content.collect_essays import collect_essays

        return collect_essays(self._context, names)

    def collect_if_configured(self) -> EssayRunReport | None:
        """Do the same for a flow: None where no source is configured."""
        return self.collect() if self._context.settings.sources else None

    def waiting(self) -> tuple[WaitingDraft, ...]:
        """Return the drafts of collected posts that can be taken into content/essays."""
        from upcycle_news.services.content.take_essays import waiting_drafts

        return waiting_drafts(self._context)

    def take(self, names: Sequence[str]) -> tuple[TakenDraft, ...]:
        """Take drafts of collected posts into content/, with their pictures.

        Where the essay is there and the site changed its text, both versions are merged; a conflict
        changes nothing. A result holds the essay's path or the error that refused it. Raises
        `UpcycleError` for a name that no draft has.
        """
        from upcycle_news.services.content.take_essays import take_drafts

        return take_drafts(self._context, names)

    def read(self) -> tuple[Essay, ...]:
        """Return the essays as their files say, without looking into the store.

        Raises `ContentError`, which names all files that cannot be read.
        """
        from upcycle_news.services.content.files import load_publication_essays

        return load_publication_essays(self._context)

    def list(self) -> EssayList:
        """Return every essay with its status, and for or in which issue it is.

        The status is draft, ready, planned or published. Unreadable files are errors in the list;
        raises `SettingsError` when the schedule in prefect.yaml cannot be read.
        """
        from upcycle_news.services.issues.plan import essay_statuses

        entries, errors = essay_statuses(self._context)
        for error in errors:
            error.language = self._context.language
        return EssayList(entries, errors)
