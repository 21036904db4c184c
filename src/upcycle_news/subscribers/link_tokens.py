"""The signed links in a reader's mail: unguessable, bound to one purpose, without any address.

A token is 32 bytes, 43 characters of base64url, short enough to stay on one header line:

    key number (1) | subscriber (6) | issue number (3) | HMAC-SHA-256, truncated (22)

The purpose goes into the HMAC, so a token for one purpose never reads for another. 176 bits of MAC
are far beyond guessing (RFC 2104, section 5 asks for at least 80).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from upcycle_news.errors import UpcycleError

KEY_BYTES = 32
MAC_BYTES = 22
TOKEN_BYTES = 32


class Purpose(StrEnum):
    """What a link is for; also the path below the public address."""

    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"


@dataclass(frozen=True)
class Token:
    """What a valid token says. `issue` is the number of the issue it came with, 0 for none."""

    purpose: Purpose
    subscriber: int
    issue: int


@dataclass(frozen=True, repr=False)
class LinkSigner:
    """Makes and reads tokens. `keys` by number; new tokens are signed with the highest one."""

    keys: Mapping[int, bytes]
    public_url: str

    def url(self, purpose: Purpose, subscriber: int, issue: int = 0) -> str:
        """The reader's link for `purpose`, under the public address."""
        return f"{self.public_url}/{purpose}/{self.token(purpose, subscriber, issue)}"

    def token(self, purpose: Purpose, subscriber: int, issue: int = 0) -> str:
        """The token alone: 43 characters of base64url."""
        number = max(self.keys)
        body = bytes([number]) + subscriber.to_bytes(6, "big") + issue.to_bytes(3, "big")
        return (
            base64.urlsafe_b64encode(body + self._mac(number, purpose, body)).decode().rstrip("=")
        )

    def read(self, purpose: Purpose, token: str) -> Token | None:
        """What the token says, or None for one that is altered, foreign or for another purpose."""
        raw = token_bytes(token, TOKEN_BYTES)
        if raw is None or raw[0] not in self.keys:
            return None
        body, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(raw[0], purpose, body)):
            return None
        return Token(purpose, int.from_bytes(body[1:7], "big"), int.from_bytes(body[7:10], "big"))

    def _mac(self, number: int, purpose: Purpose, body: bytes) -> bytes:
        message = f"upcycle_news/link/{purpose}/".encode() + body
        return hmac.digest(self.keys[number], message, "sha256")[:MAC_BYTES]


def token_bytes(token: str, length: int) -> bytes | None:
    """The `length` bytes a token spells in base64url without padding; None for anything else.

    One spelling only: base64 ignores spare bits that an altered copy could differ in.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != length or base64.urlsafe_b64encode(raw).decode().rstrip("=") != token:
        return None
    return raw


def load_or_make_keys(folder: Path, *, make: bool = True) -> dict[int, bytes]:
    """The token keys in `folder` (`token-1.key`, …); with `make` the first one when there is none.

    They belong into every backup: without them no link in a mail that was sent works any more.
    Raises `UpcycleError` when the folder cannot be used or a key is damaged.
    """
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not any(folder.glob("token-*.key")):
                make_key(folder / "token-1.key")
        keys = {}
        for path in folder.glob("token-*.key"):
            number, text = path.stem.removeprefix("token-"), path.read_text(encoding="ascii")
            key = bytes.fromhex(text.strip())
            if not number.isdigit() or not 1 <= int(number) <= 255 or len(key) != KEY_BYTES:
                raise ValueError
            keys[int(number)] = key
    except ValueError:
        raise UpcycleError(
            f"{folder}: a token key is damaged; restore the folder from a backup"
        ) from None
    except OSError as error:
        raise UpcycleError(
            f"{folder}: the token key cannot be read or made ({error.strerror}); "
            "make the folder readable and writable for this user"
        ) from None
    return keys


def load_or_make_key(path: Path) -> bytes:
    """One secret that never changes, made at the first use; raises `UpcycleError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            make_key(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        if len(key) != KEY_BYTES:
            raise ValueError
    except ValueError:
        raise UpcycleError(f"{path}: the key is damaged; restore it from a backup") from None
    except OSError as error:
        raise UpcycleError(
            f"{path}: cannot be read or made ({error.strerror}); "
            "make the folder readable and writable for this user"
        ) from None
    return key


def make_key(path: Path) -> None:
    """Write a key in one step; a second process that is faster wins.

    The draft is nobody else's: processes of two containers may have one number.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)


MAC_BYTES = 22
_BODY_BYTES = 16


@dataclass(frozen=True)
class PreviewToken:
    """What a valid token opens: `revision` is how its hash begins."""

    issue: int
    revision: str


def preview_token(
    keys: Mapping[int, bytes], *, issue: int, revision: str, expires: datetime
) -> str:
    """A token for the revision (its hash in hexadecimal) of the issue with this number."""
    number = max(keys)
    body = (
        bytes([number])
        + int(expires.timestamp()).to_bytes(4, "big")
        + issue.to_bytes(3, "big")
        + bytes.fromhex(revision)[:8]
    )
    return base64.urlsafe_b64encode(body + _mac(keys[number], body)).decode().rstrip("=")


def read_preview_token(
    keys: Mapping[int, bytes], token: str, *, now: datetime
) -> PreviewToken | None:
    """What the token opens; None for one that is altered, foreign or has expired."""
    raw = token_bytes(token, _BODY_BYTES + MAC_BYTES)
    if raw is None or raw[0] not in keys:
        return None
    body, mac = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
    if not hmac.compare_digest(mac, _mac(keys[raw[0]], body)):
        return None
    if now.timestamp() >= int.from_bytes(body[1:5], "big"):
        return None
    return PreviewToken(int.from_bytes(body[5:8], "big"), body[8:].hex())


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, b"upcycle_news/preview/" + body, sha256).digest()[:MAC_BYTES]
