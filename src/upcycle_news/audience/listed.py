"""What the list of another system says about a person: whether mail is still wanted.

An export names those who left beside those who stayed. The columns and words are those of Ghost's
members (subscribed_to_emails, deleted_at), Keila's contacts (Status), Mailchimp's files of a
list (UNSUB_TIME, CLEAN_TIME) and Substack's subscribers (email_disabled). A word that we do not know
is not taken for a wish.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

STATES = ("status", "subscribed_to_emails")
LEFT = ("unsub_time", "unsubscribed_at", "clean_time", "bounced_at", "deleted_at", "email_disabled")
LISTED_AS = "is listed as"
_WANTED = frozenset({"", "confirmed", "active", "subscribed", "true", "yes", "1"})
_NOT_LEFT = frozenset({"", "false", "no", "0"})


def why_not(fields: Mapping[str, str], take: Collection[str] = ()) -> str:
    """Why a person is not taken from a list, or nothing; `take` holds further words that are a wish.

    The keys of `fields` are names of columns in lower case.
    """
    for column in STATES:
        word = fields.get(column, "").strip()
        if word.lower() not in _WANTED and word.lower() not in take:
            if column == "status":
                return f"{LISTED_AS} {word[:20]}"
            return f"{column} is {word[:20]}"
    for column in LEFT:
        if fields.get(column, "").strip().lower() not in _NOT_LEFT:
            return f"left there ({column})"
    return ""
