"""Before there is an app: making a publication, and the one that comes with the program."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from upcycle_news.config.settings import FILE_NAME as SETTINGS_FILE
from upcycle_news.config.settings import PREFIX as ENVIRONMENT_PREFIX
from upcycle_news.config.settings import publication_language
from upcycle_news.scaffold import layout
from upcycle_news.scaffold.sample_settings import DEMO_STAND_INS

__all__ = [
    "DEMO_STAND_INS",
    "ENVIRONMENT_PREFIX",
    "SETTINGS_FILE",
    "bundled_publication",
    "init_publication",
    "publication_language",
]


def init_publication(
    folder: Path, *, name: str, today: date | None = None, look: str = ""
) -> tuple[Path, ...]:
    """Write a new publication into `folder`, which must be empty or not exist yet; return its files.

    With a `look` (letter, bulletin, magazine) the templates stay with the program and are upgraded with it;
    without one all are copied, to be changed. `today` dates its first essay (default: the day in UTC). Raises `UpcycleError`, having written
    nothing, for a folder that holds something and for a name that cannot be shown.
    """
    from upcycle_news.app.context import utc_now

    return layout.init_publication(folder, name=name, today=today or utc_now().date(), look=look)


def bundled_publication() -> Path:
    """Return the folder of the program's own publication: sample content, templates and the flows.

    In a checkout that is the checkout itself. It may be read-only.
    """
    return layout.bundled_publication()
