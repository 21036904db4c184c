"""What is kept of an essay makes the same essay again."""

from __future__ import annotations

import json
import string
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.content.essay_records import essay_of, record_of
from upcycle_news.content.frontmatter import split_front_matter
from upcycle_news.models import Essay, ImageRef

texts = st.text(string.ascii_letters + "äöüß „“–", max_size=20)
words = st.lists(texts, max_size=3).map(tuple)
fields = st.recursive(
    texts | st.integers(-9, 9) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
FILE = "---\ntitle: Umbau\n---\n\n# Ein Bahnhof\n\nSteht noch.\n"
PARTS = split_front_matter("file", FILE)


@st.composite
def essays(draw: st.DrawFn, source: str = "a.md") -> Essay:
    return Essay(
        slug=draw(texts),
        source=source,
        title=draw(texts),
        author=draw(texts),
        date=draw(st.dates(min_value=date(1900, 1, 1))),
        language=draw(st.sampled_from(["de", "en-GB"])),
        summary=draw(texts),
        body=PARTS.body,
        topics=draw(words),
        image=draw(st.none() | st.builds(ImageRef, texts, texts, texts, texts)),
        status=draw(st.sampled_from(["draft", "ready"])),
        pin=draw(words),
        ban=draw(words),
        body_line=PARTS.body_line,
        length=draw(st.sampled_from([None, "full", "teaser", "auto"])),
        kicker=draw(texts),
        extra=draw(st.dictionaries(texts, fields, max_size=3)),
        canonical=draw(texts),
        folder=draw(st.sampled_from(["", "en"])),
        translations=tuple(
            draw(essays(source=f"{number}-{source}"))
            for number in range(draw(st.integers(0, 1)) if source == "a.md" else 0)
        ),
    )


@given(essays())
def test_an_essay_comes_back_from_its_record(essay: Essay) -> None:
    record = json.loads(json.dumps(record_of(essay)))
    again = essay_of(record, {one.source: FILE for one in (essay, *essay.translations)})
    assert again == essay
    assert "Steht noch" not in json.dumps(record)
