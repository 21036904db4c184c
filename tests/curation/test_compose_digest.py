"""What goes into a digest: every essay once, items in turn from all issues, and no more than a mail holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.curation.compose_digest import (
    MAX_ESSAYS,
    PICTURES,
    SUMMARIES,
    compose_digest,
    told_together,
)
from upcycle_news.models import Essay, FeedItem, ImageRef, Issue, IssueId, Related, Story

DIGEST = IssueId(date(2027, 1, 1), digest=1)


def issue(number: int, essays: int, items: int) -> Issue:
    day = date(2026, 10, 1) + timedelta(days=number)
    slugs = [f"e{number}-{place}" for place in range(essays)]
    return Issue(
        id=IssueId(day),
        language="de",
        subject="",
        preheader="",
        essays=tuple(essay(slug, day) for slug in slugs),
        related=tuple(item(f"i{number}-{place}", slugs) for place in range(items)),
    )


def essay(slug: str, day: date) -> Essay:
    image = ImageRef(f"{slug}.jpg", "")
    return Essay(
        slug, f"{slug}.md", slug, "", day, "de", "Worum es geht.", "", image=image, length="full"
    )


def item(link: str, slugs: list[str]) -> Related:
    at = datetime(2026, 10, 1, tzinfo=UTC)
    told = FeedItem(link, "Blatt", link, link, link, "", at, "feed")
    return Related(Story((told,)), 1.0, essay=slugs[0] if slugs else "")


def digest_of(*issues: Issue, items: int = 12, excluded: tuple[str, ...] = ()) -> Issue:
    newest_first = sorted(issues, key=lambda one: one.id, reverse=True)
    found = compose_digest(DIGEST, newest_first, ["de"], items=items, excluded=excluded)
    assert found is not None
    return found


def test_items_are_taken_in_turn_and_stand_in_the_order_of_their_issues() -> None:
    told = digest_of(issue(1, 1, 1), issue(2, 1, 3), issue(3, 1, 3), items=5)
    assert [one.story.lead.key for one in told.related] == ["i3-0", "i3-1", "i2-0", "i2-1", "i1-0"]
    without = digest_of(issue(1, 1, 1), issue(2, 1, 3), issue(3, 1, 3), items=5, excluded=("i3-0",))
    assert [one.story.lead.key for one in without.related] == [
        "i3-1",
        "i3-2",
        "i2-0",
        "i2-1",
        "i1-0",
    ]


def test_only_the_first_essays_have_pictures_and_summaries() -> None:
    told = digest_of(*(issue(number, 3, 0) for number in range(8)))
    assert sum(one.image is not None for one in told.essays) == PICTURES
    assert sum(bool(one.summary) for one in told.essays) == SUMMARIES
    assert told.essays[0].slug == "e7-0"
    assert {one.length for one in told.essays} == {None}


def test_there_is_none_without_anything_to_tell() -> None:
    assert compose_digest(DIGEST, [issue(1, 0, 0)], ["de"], items=12) is None
    assert compose_digest(DIGEST, [], ["de"], items=12) is None


@given(st.lists(st.integers(0, 40), max_size=30))
def test_digests_one_after_another_tell_each_issue_once(sizes: list[int]) -> None:
    left = [issue(number, essays, 0) for number, essays in enumerate(sizes)]
    told: list[Issue] = []
    while left:
        together = told_together(left)
        assert len(together) == 1 or sum(len(one.essays) for one in together) <= MAX_ESSAYS
        assert together == tuple(sorted(together, key=lambda one: one.id, reverse=True))
        told += reversed(together)
        left = [one for one in left if one not in together]
    assert [one.id for one in told] == sorted(one.id for one in told)
    assert len(told) == len(sizes)
