"""Checks of outgoing webhooks: which are failing, and what waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from upcycle_news.diagnostics.results import CheckResult, ok, problem, skipped, warning
from upcycle_news.i18n.messages import localized

if TYPE_CHECKING:
    from upcycle_news.services.webhooks.status import WebhookStatus


def evaluate(statuses: Sequence[WebhookStatus]) -> list[CheckResult]:
    """Evaluate each webhook: one that has stopped, or can never be posted to, is a problem."""
    if not statuses:
        return [skipped("webhooks", localized("webhooks-none"))]
    return [_evaluate(status) for status in statuses]


def _evaluate(status: WebhookStatus) -> CheckResult:
    from upcycle_news.services.webhooks.status import (
        secret_variable,  # late: it loads an HTTP client
    )

    finding = status.sentence(secret_variable(status.name))
    impact = localized("doctor-webhook-means")
    match status.state:
        case "unusable":
            return problem(
                "webhooks",
                finding,
                impact=impact,
                fix=localized("doctor-webhook-secret", variable=secret_variable(status.name)),
                about=status.name,
            )
        case "stopped":
            return problem(
                "webhooks",
                finding,
                impact=impact,
                fix=localized("doctor-webhook-retry", name=status.name),
                about=status.name,
            )
        case "failing":
            return warning(
                "webhooks",
                finding,
                impact=impact,
                fix=localized("doctor-webhook-test", name=status.name),
                about=status.name,
            )
    return ok("webhooks", finding, about=status.name)
