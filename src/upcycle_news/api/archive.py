"""`app.archive`: the web pages of everything that was sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from upcycle_news.app.context import AppContext

if TYPE_CHECKING:
    from upcycle_news.services.archive.build import ArchiveReport


class Archive:
    """Builds the archive, and corrects or withdraws what stands in it. Mails stay as they were sent."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def build(self, out: Path | None = None, *, anew: bool = False) -> ArchiveReport:
        """Build the site of all issues, into `out` or var/archive; return what was written.

        Pages that would be the same are not rendered again, except `anew`. Building again without changes writes nothing. Raises `UpcycleError`, having changed
        nothing, when a template does not work, the folder cannot be written or `archive.command`
        fails.
        """
        from upcycle_news.services.archive.build import build_archive

        return build_archive(self._context, out, anew=anew)

    def build_for(self, path: str) -> bool:
        """Build if the store has what an archive path names and var/archive has not; return whether it did.

        Raises `UpcycleError` as `build` does.
        """
        from upcycle_news.services.archive.build import build_for

        return build_for(self._context, path)

    def correct(
        self, essay: str, note: str, *, by: str, notes: Mapping[str, str] = {}
    ) -> ArchiveReport:
        """Show an essay as its file is now, with a dated note of what was corrected.

        `essay` is the name of its file, undated; `by` is who decides, `notes` the note in further
        languages, by language. Raises `IssueError` for an essay that was not sent, is withdrawn or has not changed, `ContentError` when its file cannot
        be read.
        """
        from upcycle_news.services.archive.corrections import correct

        return correct(self._context, essay, note, by=by, notes=notes)

    def withdraw(
        self, name: str, note: str = "", *, by: str, notes: Mapping[str, str] = {}
    ) -> ArchiveReport:
        """Take an essay (its name) or an issue (its id) out of the archive; its pages say so.

        `notes` are the note in further languages, by language. Raises `IssueError` for a name that was not sent, or is withdrawn already.
        """
        from upcycle_news.services.archive.corrections import withdraw

        return withdraw(self._context, name, note, by=by, notes=notes)

    def undo(self, name: str, note: str = "", *, by: str) -> ArchiveReport:
        """Show what was withdrawn again. Raises `IssueError` for what is not withdrawn."""
        from upcycle_news.services.archive.corrections import withdraw

        return withdraw(self._context, name, note, by=by, undo=True)

    def file(self, path: str) -> Path | None:
        """Return the file of an archive path such as ``archive/2026-11-26/``, None if there is none.

        The last build decides; `build_for` it when an issue may have been sent from another machine.
        """
        from upcycle_news.models.archive_paths import file_of

        folder = self._context.archive_folder
        try:
            file = (folder / file_of(path)).resolve()
            found = file.is_file() and file.is_relative_to(folder.resolve())
        except (OSError, ValueError):  # a path that no file system accepts
            return None
        return file if found else None

    def written_file(self, path: str) -> Path | None:
        """Return a file of the archive that the last build wrote; None for everything else there.

        Pages as well as files of content/static and of the search. Raises `OSError`.
        """
        from upcycle_news.models.archive_paths import file_of
        from upcycle_news.services.archive_listing import read_listing

        file = self.file(path)
        listed = file is not None and file_of(path) in read_listing(self._context.archive_folder)
        return file if listed else None
