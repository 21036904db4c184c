"""The text that checks look at is the one that is rendered, line for line, whatever signs it holds."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from upcycle_news.checks.essay import check_essay
from upcycle_news.checks.essay.parsed import OPAQUE, parse_essay
from upcycle_news.models import Essay

from ...rendering.sample_manifest import LEAD
from .bodies import findings_of

SIGNS = st.sampled_from(
    [
        *("[[", "]]", "![", "](", ")", "[^1]", "[^1]: ", "**", "__", "*", "_", "~~", "==", "`", "```"),
        *("| a | b |", "|---|", "##", "# ", "> ", "- ", "1. ", "    ", "$", "{#a}", ":::", "%%", "<!--", "-->"),
        *("\n", "\n\n", " ", "a", "Wort", "Ende.", "\\", "https://a.example/x", "„", "“", '"', "TODO", "\u00e4"),
    ]
)  # fmt: skip
BODIES = st.lists(SIGNS, min_size=1, max_size=40).map("".join)
# Half of the signs a writer escapes; the other half are letters already.
ESCAPED = st.lists(st.sampled_from([*"[]*_~=`|#>$:<!^{}()+-", "a", " "]), max_size=40)


def essay(body: str) -> Essay:
    return replace(LEAD, body=body, body_line=1, image=None)


@settings(deadline=None)
@given(BODIES)
def test_every_finding_names_a_line_of_the_essay(body: str) -> None:
    lines = body.count("\n") + 1
    for finding in check_essay(essay(body), set()):
        assert 1 <= finding.place[1] <= lines, (finding, body)
        assert finding.in_language("de") != finding.in_language("en")


@settings(deadline=None)
@given(BODIES)
def test_what_is_shown_and_what_was_typed_have_the_same_length(body: str) -> None:
    for block in parse_essay(essay(body)).blocks:
        assert len(block.text) == len(block.typed)
        assert block.text.count("\n") == block.typed.count("\n")


@settings(deadline=None)
@given(ESCAPED)
def test_escaped_signs_are_text(signs: list[str]) -> None:
    body = "Wort " + "".join(sign if sign in "a " else f"\\{sign}" for sign in signs) + " Wort"
    codes = {code for _, _, code in findings_of(body)}
    assert {code for code in codes if not code.startswith("typography-")} == set(), body
    for block in parse_essay(essay(body)).blocks:
        assert set(block.typed) <= set("Wort a") | {OPAQUE}


@settings(deadline=None)
@given(BODIES)
def test_the_same_signs_in_a_fence_are_code(body: str) -> None:
    fence = "~~~~~~~~"
    found = [
        finding for finding in findings_of(f"{fence}\n{body}\n{fence}") if finding[2] != "leftover"
    ]
    assert found == []
