"""`app.check()`, and what a check of one's own is made of.

A check is a generator of findings. `@essay_check` adds one that looks at an essay, `@issue_check` one
that looks at the rendered issue; it takes part in `check`, in previews and before an issue is sent, in
every program that imports it.
"""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.checks.essay import EssayInput, essay_check
from upcycle_news.checks.findings import error, warning
from upcycle_news.checks.issue import CheckInput, issue_check
from upcycle_news.models import Finding, IssueId

__all__ = [
    "CheckInput",
    "CheckReport",
    "EssayInput",
    "Finding",
    "error",
    "essay_check",
    "issue_check",
    "run_checks",
    "warning",
]


@dataclass(frozen=True)
class CheckReport:
    """The findings of a check, in their order, and how readers can unsubscribe as things are set.

    Sentences are in `language`: `finding.in_language(report.language)`.
    """

    findings: tuple[Finding, ...]
    unsubscribe_methods: str
    language: str

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the issue from being sent."""
        return tuple(finding for finding in self.findings if finding.level == "error")


def run_checks(context: AppContext, issue: IssueId | str | None = None) -> CheckReport:
    """Check content, settings, templates and an issue (default: today's); nothing is sent or stored.

    What is wrong is a finding, never an error. Raises `UpcycleError` for a text that is no issue id.
    """
    from upcycle_news.services.checks.run import check_everything
    from upcycle_news.services.issues.ids import current_issue
    from upcycle_news.services.subscribers.unsubscribe_methods import describe_unsubscribe_methods

    if issue is None:
        issue = current_issue(context)
    issue_id = issue if isinstance(issue, IssueId) else IssueId.parse(issue)
    language = context.language
    methods = describe_unsubscribe_methods(context).in_language(language)
    return CheckReport(check_everything(context, issue_id), methods, language)
