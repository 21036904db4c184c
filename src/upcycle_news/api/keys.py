"""`app.keys`: the keys that sign subscribers' links, and new keys for DKIM."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from upcycle_news.app.context import AppContext
from upcycle_news.errors import SettingsError, UpcycleError
from upcycle_news.fileio import os_reason
from upcycle_news.i18n.messages import localized
from upcycle_news.mail import dkim
from upcycle_news.observability.logging import Log
from upcycle_news.storage.metrics import issue_queues
from upcycle_news.subscribers import signing_keys

log = Log(__name__)


@dataclass(frozen=True)
class TokenKey:
    """A key by its number, when it came to this machine (UTC), and if it signs new links."""

    number: int
    made_at: datetime
    signs: bool


@dataclass(frozen=True)
class DkimKey:
    """A new key for DKIM: the file of its private half, and the TXT record to publish.

    `setting` is the key of newsletter.toml that gets the selector, `variable` the one that names
    the file.
    """

    file: Path
    name: str
    record: str
    setting: str
    variable: str


class Keys:
    """Lists, adds and drops token keys, and generates keys for DKIM. No key is ever returned."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.keys` is the usual way."""
        self._context = context

    def list(self) -> tuple[TokenKey, ...]:
        """Return the token keys by number; the last one signs. The first is made when there is none.

        Raises `UpcycleError` when the folder cannot be read, or a key is damaged.
        """
        numbers = sorted(self._context.link_signer.keys)
        folder = self._context.secrets_folder
        return tuple(
            TokenKey(number, signing_keys.key_created_at(folder, number), number == numbers[-1])
            for number in numbers
        )

    def rotate(self) -> int:
        """Make a new token key, which signs from now on; return its number. Old links keep working.

        Raises `UpcycleError` when the folder cannot be written, or holds as many as there can be.
        """
        number = signing_keys.add_key(self._context.secrets_folder)
        log.warning("token key created", key=number)
        return number

    def raise_unless_droppable(self, number: int) -> None:
        """Raise `UpcycleError` when `drop` would: no such key, one that signs, an issue being sent.

        Message-IDs of an issue that is being sent may hang on the key.
        """
        for queue in issue_queues(self._context.store):
            if queue.is_waiting:
                raise UpcycleError(localized("key-in-use", issue=queue.issue))
        signing_keys.raise_unless_droppable(self._context.secrets_folder, number)

    def drop(self, number: int) -> None:
        """Delete a token key that leaked: every link that it signed ends, unsubscribe links too.

        Raises as `raise_unless_droppable`.
        """
        self.raise_unless_droppable(number)
        signing_keys.drop_key(self._context.secrets_folder, number)
        log.warning("token key dropped", key=number)

    def generate_dkim(
        self, selector: str, kind: Literal["rsa", "ed25519"] = "rsa", *, file: Path | None = None
    ) -> DkimKey:
        """Generate a key for DKIM; its private half goes into `file`, default: in var/secrets.

        Raises `SettingsError` without a sender address (its domain signs), and `UpcycleError` for a
        selector that DNS does not know, and when the file exists or cannot be written.
        """
        settings = self._context.settings
        domain = settings.dkim.domain or settings.sender.address.rpartition("@")[2]
        if not domain:
            raise SettingsError("newsletter.toml", None, localized("dkim-no-sender"))
        dkim.raise_unless_selector(selector, domain)
        path = file or self._context.secrets_folder / f"dkim-{selector}.pem"
        key = dkim.generate(kind)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(key.pem)
        except FileExistsError:
            raise UpcycleError(localized("dkim-exists", path=path)) from None
        except OSError as error:
            raise UpcycleError(
                localized("file-not-written", path=path, why=os_reason(error))
            ) from None
        return DkimKey(
            path,
            f"{selector}._domainkey.{domain}",
            key.record,
            "selector" if kind == "rsa" else "ed25519_selector",
            f"UPCYCLE_NEWS_DKIM__{kind.upper()}_KEY_FILE",
        )
