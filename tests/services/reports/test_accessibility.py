"""The report's section about accessibility."""

from __future__ import annotations

from upcycle_news.models import IssueId
from upcycle_news.services.reports.delivery_report import delivery_report

from ...publications import Publication, send_issue


def test_the_report_says_what_was_not_examined_and_shows_the_order(
    publication: Publication,
) -> None:
    publication.write_essay("Bahnhof neu")
    publication.write_essay("Schule", language="en", summary='"A school"')
    publication.add_many_subscribers(1)
    context = publication.context()
    send_issue(context)

    report = delivery_report(context, IssueId.parse("2026-11-26"))
    section = report.partition("### Barrierefreiheit")[2].partition("###")[0]
    assert "Mit axe-core nicht untersucht: Hier ist kein Chromium" in section
    assert "Sprache: de; anders ausgezeichnet sind Stellen in: en (" in section
    assert "    1. Überschrift 1: Bahnhof neu" in section
    assert "Kontrast" in section
    assert (context.issues_folder / "2026-11-26/accessibility.json").is_file()
    assert (
        delivery_report(context, IssueId.parse("2026-11-26")).partition("### Barr")[2][:200]
        == (report.partition("### Barr")[2][:200])
    )
