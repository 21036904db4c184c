"""`app.templates`: the templates, and which of them are the publication's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.services.content.gallery import write_gallery
from upcycle_news.services.content.templates import copy_templates, listed_templates


class Templates:
    """Lists the templates, copies those of the look into the publication, and shows what is made of them."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.templates` is the usual way."""
        self._context = context

    def list(self) -> Mapping[str, bool]:
        """Return the paths of all templates, and whether the file is the publication's own.

        Raises `TemplateError` for a file that cannot be read.
        """
        return listed_templates(self._context)

    def copy(self, names: Sequence[str]) -> tuple[Path, ...]:
        """Copy templates of the look into the publication, to be changed there; return the files.

        They no longer change with the program. Raises `UpcycleError`, having written nothing, for a name that
        there is not and for a file that is there.
        """
        return copy_templates(self._context, names)

    def gallery(self, out: Path | None = None) -> Path:
        """Write one page that shows every piece of mails and pages with the lines that make it; return its file.

        It is written to `out`, or below the state folder. Raises `TemplateError` for templates that do not work.
        """
        return write_gallery(self._context, out)
