"""The DKIM signatures of a message template: what is constant is hashed once for all readers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from upcycle_news.postroom.body import Gap, Piece
from upcycle_news.postroom.dkim import DkimSigner, Header, relaxed_body, relaxed_headers

if TYPE_CHECKING:
    from hashlib import _Hash


@dataclass(frozen=True, repr=False)
class Seal:
    """Signs what `MessageTemplate` makes; make it with `over`."""

    _signers: tuple[DkimSigner, ...]
    _headers: tuple[Header, ...]
    _begun: _Hash
    _rest: tuple[Piece, ...]

    @classmethod
    def over(cls, head: bytes, body: Sequence[Piece], signers: Sequence[DkimSigner]) -> Seal:
        """Prepare the signatures of a message whose first piece holds its last headers.

        Gaps are filled with lines of their own that contain no white space, so each piece can be
        made canonical by itself.
        """
        first, *rest = body
        assert isinstance(first, bytes)
        last_headers, _, text = first.partition(b"\r\n\r\n")
        return cls(
            _signers=tuple(signers),
            _headers=tuple(relaxed_headers(head + last_headers)),
            _begun=hashlib.sha256(relaxed_body(text)),
            _rest=tuple(relaxed_body(one) if isinstance(one, bytes) else one for one in rest),
        )

    def signatures(self, personal: bytes, filled: Mapping[Gap, bytes], at: datetime) -> bytes:
        """The DKIM-Signature headers for one reader's headers and links."""
        digest = self._begun.copy()
        for piece in self._rest:
            digest.update(piece if isinstance(piece, bytes) else filled[piece])
        headers = [*self._headers, *relaxed_headers(personal)]
        body_hash, seconds = digest.digest(), int(at.timestamp())
        return b"".join(one.signature(headers, body_hash, seconds) for one in self._signers)
