"""`app.review_pull_request()`: what a branch changes for the readers, for whoever has to merge it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.checks.annotations import github_annotations
from upcycle_news.errors import PlacedError, UpcycleError
from upcycle_news.models import Finding
from upcycle_news.services.pull_request.output import PAGE, SUMMARY, write_review
from upcycle_news.services.pull_request.review import PullRequestReview, review_pull_request

__all__ = [
    "PAGE",
    "SUMMARY",
    "PullRequestReview",
    "WrittenReview",
    "annotation_of_error",
    "write_pull_request",
]


@dataclass(frozen=True)
class WrittenReview:
    """A review and its files: paths by name."""

    review: PullRequestReview
    files: Mapping[str, Path]

    def annotations(self) -> list[str]:
        """Return the findings as workflow commands of GitHub Actions."""
        review = self.review
        return github_annotations(review.findings, review.language, review.prefix)


def write_pull_request(context: AppContext, base: str, folder: Path) -> WrittenReview:
    """Review the publication against `base` and write the files; raises as `review_pull_request`."""
    review = review_pull_request(context, base)
    return WrittenReview(
        review, write_review(review, folder, chromium=context.settings.browser.chromium)
    )


def annotation_of_error(error: UpcycleError) -> str:
    """Return what kept a publication from being looked at as a workflow command of GitHub Actions."""
    where = error.place if isinstance(error, PlacedError) else "publication"
    finding = Finding("error", "settings", where, error.localized_text)
    return github_annotations([finding], error.language)[0]
