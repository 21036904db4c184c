"""An inbox as a Maildir in a publication, and what lies in it."""

from __future__ import annotations

from ..publications import Publication


def make_inbox(publication: Publication) -> None:
    for name in ("tmp", "new", "cur"):
        (publication.home / "inbox" / name).mkdir(parents=True)


def put(publication: Publication, *mails: bytes) -> None:
    """Let mails arrive, oldest first."""
    folder = publication.home / "inbox"
    for mail in mails:
        number = len(list(folder.rglob("*.here*")))
        (folder / f"new/{number:06}.here").write_bytes(mail)


def waiting(publication: Publication) -> int:
    """Return how many mails lie in the inbox."""
    return len(list((publication.home / "inbox/new").iterdir()))
