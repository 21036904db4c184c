"""The templates of the publication: all of its own, or its own on top of a look that comes with the program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import did_you_mean, write_atomically
from upcycle_news.i18n.messages import localized
from upcycle_news.rendering.templates import load_templates, read_templates
from upcycle_news.rendering.theme import LOOK_THEME
from upcycle_news.scaffold.looks import templates_with_look


def publication_templates(context: AppContext) -> dict[str, str]:
    """Return the templates by their paths; raises `TemplateError`, as `load_templates` does.

    Without a look a publication has all of them itself: one that is missing is an error, and not made up for.
    """
    look = context.settings.templates.look
    folder = context.templates_folder
    return templates_with_look(folder, look) if look else load_templates(folder)


def listed_templates(context: AppContext) -> dict[str, bool]:
    """Return the paths of all templates, and whether the file is the publication's own."""
    own = read_templates(context.templates_folder) if context.templates_folder.is_dir() else {}
    names = publication_templates(context).keys() - {LOOK_THEME}
    return {name: name in own for name in sorted(names)}


def copy_templates(context: AppContext, names: Sequence[str]) -> tuple[Path, ...]:
    """Copy templates of the look into the publication, to be changed there; returns the files.

    Raises `UpcycleError`, having written nothing, for a name that there is not and for a file that is there.
    """
    templates, listed = publication_templates(context), listed_templates(context)
    for name in names:
        if name not in listed:
            raise UpcycleError(
                localized("template-unknown", name=name, hint=did_you_mean(name, listed))
            )
        if listed[name]:
            raise UpcycleError(localized("template-own-already", name=name))
    for name in names:
        write_atomically(context.templates_folder / name, templates[name].encode(), exclusive=True)
    return tuple(context.templates_folder / name for name in names)
