"""The sums of an issue's languages are those of its variants, and add up to the issue's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.models import DeliveryState, IssueState, IssueStatus, Variant
from upcycle_news.models.delivery import VariantStatus

STATES = list(DeliveryState)


@st.composite
def statuses(draw: st.DrawFn) -> IssueStatus:
    variants, total = [], dict.fromkeys(STATES, 0)
    for number in range(draw(st.integers(1, 5))):
        counts = {state: draw(st.integers(0, 3)) for state in STATES}
        language = draw(st.sampled_from(["de", "en"]))
        audience = sum(counts.values())
        variants.append(VariantStatus(number, Variant(language, ()), audience, counts))
        total = {state: total[state] + counts[state] for state in STATES}
    audience = sum(one.audience for one in variants)
    return IssueStatus(
        "2026-11-26", "x", audience, total, IssueState.SENDING, variants=tuple(variants)
    )


@given(statuses())
def test_the_languages_add_up_to_the_issue(status: IssueStatus) -> None:
    languages = status.languages
    assert sum(one.audience for one in languages) == status.audience
    for state in STATES:
        assert sum(one.counts.get(state, 0) for one in languages) == status.counts[state]
    if status.closed:
        assert all(one.closed for one in languages)
    assert all(one.closed for one in languages) is (status.waiting == 0)


def test_an_issue_in_one_language_has_the_keys_that_it_always_had() -> None:
    status = IssueStatus("2026-11-26", "x", 1, {DeliveryState.SENT: 1}, IssueState.CLOSED)
    assert "languages" not in status.as_dict()
    assert list(status.as_dict())[-2:] == ["closed", "state"]
