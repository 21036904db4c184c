"""The backups that there are, and the store as it is, without migrating it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.storage.database import Store, open_store

_GENERATED_NAME = re.compile(r"upcycle-news-\d{4}-\d\d-\d\dT\d{6}Z\.tar\.gz")


def backup_folder(context: AppContext) -> Path:
    """Return the folder of the backups, from the setting or `backups` below the state folder."""
    configured = context.settings.backup.folder
    if configured:
        return context.settings.home / Path(configured).expanduser()
    return context.settings.state / "backups"


def list_backups(context: AppContext, folder: Path | None = None) -> list[Path]:
    """Return the backups in a folder that have a generated name, newest first."""
    folder = folder or backup_folder(context)
    paths = folder.iterdir() if folder.is_dir() else ()
    return sorted((path for path in paths if _GENERATED_NAME.fullmatch(path.name)), reverse=True)


def has_store_file(context: AppContext) -> bool:
    """Return whether the file of a store in SQLite is there; a server answers for itself."""
    url = context.settings.store_url
    return not url.startswith("sqlite") or Path(url.partition(":///")[2]).is_file()


@contextmanager
def open_unmigrated(context: AppContext) -> Iterator[Store]:
    """Open the store without migrating it; raises `UpcycleError` where there is none."""
    url = context.settings.store_url
    if not has_store_file(context):
        file = url.partition(":///")[2]
        raise UpcycleError(localized("store-none-yet", file=file))
    store = open_store(url, migrated=False)
    try:
        yield store
    finally:
        store.close()
