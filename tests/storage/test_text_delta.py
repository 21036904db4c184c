"""A text as pieces of another one."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.storage import text_delta

texts = st.lists(
    st.sampled_from(("<div>\n", "</div>\n", "a\n", "ä\r\n", "\n", "\u2028", "end")), max_size=30
).map("".join)


@given(texts, texts)
def test_any_text_comes_back_from_its_delta(base: str, text: str) -> None:
    stored = json.loads(json.dumps(text_delta.encode(base, text)))
    assert text_delta.decode(base, stored) == text


def test_a_text_without_some_lines_takes_no_room_for_the_others() -> None:
    blocks = [f"<div>\n<p>{number} {'x' * 60}</p>\n</div>\n" for number in range(200)]
    base = "".join(blocks)
    delta = text_delta.encode(base, "".join(blocks[:80] + blocks[81:]))
    assert not any(isinstance(piece, str) for piece in delta)
    assert len(json.dumps(delta)) < 100
