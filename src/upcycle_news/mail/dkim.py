"""DKIM signatures (RFC 6376), RSA and Ed25519 (RFC 8463), and their keys.

The body is made canonical once for an issue, and its hash is begun once; for each recipient only the
rest is hashed and a signature made. relaxed/relaxed, because relays touch white space.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.mail.mime import Gap, Piece

if TYPE_CHECKING:
    from hashlib import _Hash

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

Header = tuple[str, bytes]
"""A header's name in lower case, and its canonical line without CRLF."""

# Both unsubscribe headers are covered, as RFC 8058, section 4, demands.
_SIGNED = (
    *("from", "reply-to", "to", "subject", "date", "message-id", "list-id", "list-unsubscribe"),
    *("list-unsubscribe-post", "list-archive", "feedback-id", "auto-submitted", "content-language"),
    *("mime-version", "content-type"),
)
# Oversigned: named once more, so that nobody can add a second one (RFC 6376, section 5.4.2).
_OVERSIGNED = ("from", "subject", "list-unsubscribe", "list-unsubscribe-post")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z")
_RSA_BITS = 2048
# A word of a selector: sub-domain of RFC 5321, section 4.1.2, of at most 63 octets (RFC 1035, 2.3.4).
_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_MAX_NAME = 253  # characters of a name in DNS


def raise_unless_selector(selector: str, domain: str) -> None:
    """Raise `UpcycleError` for what cannot be a selector of `domain`.

    RFC 6376, section 3.1: sub-domain *("." sub-domain), so words of letters, digits and inner hyphens.
    """
    if not all(_WORD.fullmatch(word) for word in selector.split(".")):
        raise UpcycleError(localized("selector-bad", selector=selector[:80]))
    if len(f"{selector}._domainkey.{domain}") > _MAX_NAME:
        raise UpcycleError(localized("selector-long", selector=f"{selector[:60]}…"))


@dataclass(frozen=True, repr=False)
class DkimSigner:
    """Signs for a domain with one key; make it with `load`."""

    domain: str
    selector: str
    _key: RSAPrivateKey | Ed25519PrivateKey

    @classmethod
    def load(
        cls, domain: str, selector: str, pem: str, kind: Literal["rsa", "ed25519"]
    ) -> DkimSigner:
        """Read the key; raises `UpcycleError` when it cannot sign. No message shows the key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        where = f"dkim.{kind}_key"
        if not _NAME.match(domain) or not _NAME.match(selector):
            raise UpcycleError(localized("dkim-names"))
        try:
            # Environments often carry line ends as backslash and n.
            key = load_pem_private_key(pem.replace("\\n", "\n").encode(), None)
        except (ValueError, TypeError):
            raise UpcycleError(localized("dkim-no-key", where=where)) from None
        if not isinstance(key, RSAPrivateKey if kind == "rsa" else Ed25519PrivateKey):
            raise UpcycleError(localized("dkim-other-kind", where=where))
        if isinstance(key, RSAPrivateKey) and key.key_size < 1024:
            raise UpcycleError(localized("dkim-short", where=where, bits=_RSA_BITS))
        assert isinstance(key, RSAPrivateKey | Ed25519PrivateKey)
        return cls(domain, selector, key)

    def signature(self, headers: Sequence[Header], body_hash: bytes, at: int) -> bytes:
        """Return the DKIM-Signature header with its CRLF; `at` is the time in seconds since 1970."""
        by_name = dict(headers)
        names = [name for name in _SIGNED if name in by_name]
        covered = [*names, *(name for name in _OVERSIGNED if name in by_name)]
        half = len(covered) // 2
        value = (
            f"v=1; a={self._algorithm}; c=relaxed/relaxed; d={self.domain};\r\n"
            f" s={self.selector}; t={at}; bh={base64.b64encode(body_hash).decode()};\r\n"
            f" h={':'.join(covered[:half])}:\r\n {':'.join(covered[half:])};\r\n b="
        ).encode()
        data = b"\r\n".join(by_name[name] for name in names)
        data += b"\r\ndkim-signature:" + value.replace(b"\r\n", b"")
        signed = base64.b64encode(self._sign(data))
        lines = [signed[at : at + 72] for at in range(0, len(signed), 72)]
        return b"DKIM-Signature: " + value + b"\r\n ".join(lines) + b"\r\n"

    @property
    def record(self) -> str:
        """The text of the DNS record with which receivers verify the signatures."""
        return _record(self._key)

    @property
    def _algorithm(self) -> str:
        return "rsa-sha256" if hasattr(self._key, "key_size") else "ed25519-sha256"

    def _sign(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256, Hash

        if isinstance(self._key, Ed25519PrivateKey):
            digest = Hash(SHA256())
            digest.update(data)
            return self._key.sign(digest.finalize())
        return self._key.sign(data, PKCS1v15(), SHA256())


def relaxed_headers(raw: bytes) -> list[Header]:
    """Return header lines in relaxed form (RFC 6376, section 3.4.2), in their order."""
    unfolded = re.sub(rb"\r\n(?=[ \t])", b"", raw)
    headers = []
    for line in unfolded.split(b"\r\n"):
        if line:
            name, _, value = line.partition(b":")
            name = name.strip().lower()
            headers.append((name.decode(), name + b":" + re.sub(rb"[ \t]+", b" ", value).strip()))
    return headers


def relaxed_body(piece: bytes) -> bytes:
    """Return a piece of a body in relaxed form (section 3.4.4): single spaces, none at line ends.

    Exact for a piece that is not cut within white space. Empty lines at the end of the body are not
    removed.
    """
    return re.sub(rb" ?\r\n", b"\r\n", re.sub(rb"[ \t]+", b" ", piece))


@dataclass(frozen=True, repr=False)
class KeyPair:
    """A new key: the private part as PEM, and the text of its DNS record."""

    pem: str
    record: str


def generate(kind: Literal["rsa", "ed25519"]) -> KeyPair:
    """Generate a key pair."""
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key: RSAPrivateKey | Ed25519PrivateKey
    if kind == "rsa":
        key = rsa.generate_private_key(65537, _RSA_BITS)
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return KeyPair(pem, _record(key))


def _record(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    """Return the public key as in DNS: RSA as SubjectPublicKeyInfo, Ed25519 raw (RFC 8463, 4)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(key, Ed25519PrivateKey):
        kind, public = "ed25519", key.public_key().public_bytes_raw()
    else:
        kind = "rsa"
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(public).decode()}"


@dataclass(frozen=True, repr=False)
class TemplateDkimSigner:
    """Signs the messages of a `MessageTemplate`; make it with `prepare`."""

    _signers: tuple[DkimSigner, ...]
    _headers: tuple[Header, ...]
    _body_hash: _Hash
    _rest: tuple[Piece, ...]
    _unsigned: frozenset[str] = frozenset()

    @classmethod
    def prepare(
        cls,
        head: bytes,
        body: Sequence[Piece],
        signers: Sequence[DkimSigner],
        unsigned: Collection[str] = (),
    ) -> TemplateDkimSigner:
        """Prepare the signatures of a message whose first piece holds its last headers.

        `unsigned` are names of headers, in lower case, that the signatures leave out.
        Gaps are filled with lines of their own that contain no white space, so each piece can be
        made canonical by itself.
        """
        first, *rest = body
        assert isinstance(first, bytes)
        last_headers, _, text = first.partition(b"\r\n\r\n")
        return cls(
            _signers=tuple(signers),
            _headers=tuple(relaxed_headers(head + last_headers)),
            _body_hash=hashlib.sha256(relaxed_body(text)),
            _rest=tuple(
                relaxed_body(piece) if isinstance(piece, bytes) else piece for piece in rest
            ),
            _unsigned=frozenset(unsigned),
        )

    def signatures(self, personal: bytes, links: Mapping[Gap, bytes], at: datetime) -> bytes:
        """Return the DKIM-Signature headers for one recipient's headers and links."""
        digest = self._body_hash.copy()
        for piece in self._rest:
            digest.update(piece if isinstance(piece, bytes) else links[piece])
        headers = [*self._headers, *relaxed_headers(personal)]
        if self._unsigned:
            headers = [header for header in headers if header[0] not in self._unsigned]
        body_hash, seconds = digest.digest(), int(at.timestamp())
        return b"".join(signer.signature(headers, body_hash, seconds) for signer in self._signers)
