"""Counts replies of readers by issue: a sum, and nothing of who wrote or what.

The mail stays where it is, for people. A reply belongs to an issue if it names the Message-ID of a
delivery of it, which nobody can make up (`mail.message.message_hash`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.replies import MessageReference, ReplyKind, read_reply
from upcycle_news.errors import UpcycleError
from upcycle_news.mail.message import message_hash
from upcycle_news.models import IssueId
from upcycle_news.observability.logging import Log
from upcycle_news.storage import replies

log = Log(__name__)

_ISSUES_AT_ONCE = 3
_ISSUES_PER_RUN = 50
"""So many times the Message-IDs of an issue are worked out, however many mails name them."""


@dataclass
class ReplyCounter:
    """Counts the replies of one run over the inbox; it works out the Message-IDs of an issue once."""

    context: AppContext
    _hashes: OrderedDict[str, frozenset[int]] = field(default_factory=OrderedDict)
    _worked_out: int = 0

    def count(self, raw: bytes) -> dict[str, int]:
        """Count the mail if it answers an issue; return what was counted: nothing the second time."""
        sender = self.context.settings.sender
        own = [address for address in (sender.address, sender.reply_to) if address]
        reply = read_reply(raw, sender.address.rpartition("@")[2], own)
        if reply is None:
            return {}
        issue = next(filter(None, map(self._issue_of, reply.references)), "")
        issue = issue or self._issue_of_envelope(reply.returned_to)
        if not issue:
            return {}
        automatic = reply.kind is ReplyKind.AUTOMATIC
        mark = self._mark(reply.message_id, raw)
        if not replies.count_reply(self.context.store, issue, mark, automatic=automatic):
            return {}
        return {"auto_replies": 1} if automatic else {"replies": 1}

    def _mark(self, message_id: str, raw: bytes) -> str:
        """Return a keyed hash of the Message-ID, or of the mail where it has none."""
        content = message_id.encode() if message_id else raw
        key = self.context.message_id_key
        return hmac.new(key, b"reply/" + content, hashlib.sha256).hexdigest()

    def _issue_of(self, reference: MessageReference) -> str:
        """Return the issue if the Message-ID is one of its deliveries', else nothing."""
        known = self._hashes_of(reference.issue)
        return reference.issue if _short(reference.message_hash) in known else ""

    def _issue_of_envelope(self, returned_to: tuple[str, ...]) -> str:
        """Return the issue whose signed envelope sender is among the addresses, else nothing."""
        addresses = self.context.bounce_addresses
        if addresses is None:
            return ""
        for address in returned_to:
            try:
                number, _ = addresses.read(address)
            except (UpcycleError, ValueError):
                continue
            issue, queued_at = replies.issue_of_number(self.context.store, number)
            return issue if self._is_counted(queued_at) else ""
        return ""

    def _is_counted(self, queued_at: datetime | None) -> bool:
        return queued_at is not None and queued_at >= self.context.clock() - replies.COUNTED_FOR

    def _hashes_of(self, issue: str) -> frozenset[int]:
        if issue in self._hashes:
            self._hashes.move_to_end(issue)
            return self._hashes[issue]
        hashes = self._work_out(issue)
        self._hashes[issue] = hashes
        if len(self._hashes) > _ISSUES_AT_ONCE:
            self._hashes.popitem(last=False)
        return hashes

    def _work_out(self, issue: str) -> frozenset[int]:
        try:
            parsed = IssueId.parse(issue)
        except UpcycleError:
            return frozenset()
        if not self._is_counted(replies.queued_at(self.context.store, issue)):
            return frozenset()
        self._worked_out += 1
        if self._worked_out > _ISSUES_PER_RUN:
            log.info("replies not counted", issue=issue, why="too many issues in one run")
            return frozenset()
        key = self.context.message_id_key
        return frozenset(
            _short(message_hash(key, parsed, subscriber))
            for subscriber in replies.recipients(self.context.store, issue)
        )


def _short(digest: str) -> int:
    """Return the first eight bytes of a hash as a number: half a million of them fit into 40 MB."""
    return int(digest[:16], 16)
