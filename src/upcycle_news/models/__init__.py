"""The values that packages exchange: frozen, and validated where they enter the program.

Packages import these models, not one another. All datetimes are aware and in UTC, all dates are
days in the publication's time zone.
"""

from upcycle_news.models.bounces import Bounce
from upcycle_news.models.content import (
    DateSource,
    Essay,
    Feed,
    FeedItem,
    ImageRef,
    Issue,
    IssueId,
    Length,
    Related,
    Story,
)
from upcycle_news.models.delivery import (
    ClaimResult,
    ClaimStatus,
    Delivery,
    DeliveryState,
    Envelope,
    IssueState,
    IssueStatus,
    LeasedDelivery,
    Rate,
    Relay,
    SmtpReply,
    Verdict,
)
from upcycle_news.models.issue import (
    Finding,
    InlineImage,
    Manifest,
    Placeholder,
    Publication,
    RenderedIssue,
)
from upcycle_news.models.personal_data import PersonalData
from upcycle_news.models.subscriber import (
    ConfirmationResult,
    Consent,
    EmailAddress,
    Signup,
    Subscriber,
    SubscriberStatus,
    Suppression,
    SuppressionSource,
    Unsubscribe,
    UnsubscribeMethod,
)

__all__ = [
    "Bounce",
    "ClaimResult",
    "ClaimStatus",
    "ConfirmationResult",
    "Consent",
    "DateSource",
    "Delivery",
    "DeliveryState",
    "EmailAddress",
    "Envelope",
    "Essay",
    "Feed",
    "FeedItem",
    "Finding",
    "ImageRef",
    "InlineImage",
    "Issue",
    "IssueId",
    "IssueState",
    "IssueStatus",
    "LeasedDelivery",
    "Length",
    "Manifest",
    "PersonalData",
    "Placeholder",
    "Publication",
    "Rate",
    "Related",
    "Relay",
    "RenderedIssue",
    "Signup",
    "SmtpReply",
    "Story",
    "Subscriber",
    "SubscriberStatus",
    "Suppression",
    "SuppressionSource",
    "Unsubscribe",
    "UnsubscribeMethod",
    "Verdict",
]
