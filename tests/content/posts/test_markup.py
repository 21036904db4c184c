"""The tree of a post without what only works on its page."""

from __future__ import annotations

import re
from datetime import date

import pytest

from upcycle_news.content.manuscripts.compose import ImportRequest
from upcycle_news.content.posts.compose import compose_post, draft_name, post_document
from upcycle_news.content.posts.markup import prepare_post
from upcycle_news.models.posts import Post

PAGE = "https://umbau.example.org/laden/"


def composed(html: str, **changes: str) -> tuple[str, list[str]]:
    """The body of the essay and what is told, with every picture there is."""
    post = Post("k", PAGE, "Der Laden", html, **changes)  # type: ignore[arg-type]
    markup = prepare_post(post, "x")
    document = post_document(markup, "x", {a: a.encode() for a in markup.pictures})
    request = ImportRequest("x", post.title, date(2026, 11, 24), "M", "de", "de")
    name = draft_name(post.title, request.day, "Umbau", frozenset())
    essay = compose_post(document, markup, request, name, lambda _: ".jpg")
    body = essay.text.split("---\n", 2)[2].strip()
    body = re.sub(r"der-laden-[0-9a-f]{8}", "bild", body)
    return body, [note.in_language("de") for note in essay.notes]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        # Ghost: a bookmark, a call-out, a toggle, a file.
        ('<p>A.</p><figure class="kg-card kg-bookmark-card"><a class="kg-bookmark-container" '
         'href="https://o.example.org/x"><div class="kg-bookmark-content"><div class="kg-bookmark-title">'
         'Dort</div><div class="kg-bookmark-description">Mehr.</div></div></a></figure><p>B.</p>',
         "A.\n\n[Dort](https://o.example.org/x)\n\nB."),
        ('<div class="kg-card kg-callout-card"><div class="kg-callout-emoji">!</div>'
         '<div class="kg-callout-text">Wichtig.</div></div>', "!\n\nWichtig."),
        # WordPress: late pictures, pictures that lead to themselves, smileys, relative links.
        ('<p>A.</p><img src="data:image/gif;base64,R0" data-src="/b.jpg" alt="B">', "A.\n\n![B](bild.jpg)"),
        ('<p>A.</p><p><a href="/b.jpg"><img src="/b-300x200.jpg" alt="B"></a></p>', "A.\n\n![B](bild.jpg)"),
        ('<p>Gut <img class="wp-smiley" alt="🙂" src="/s.png"> so.</p>', "Gut 🙂 so."),
        ('<p>Ein <a href="../weiter/">Link hierhin</a>.</p>',
         "Ein [Link hierhin](https://umbau.example.org/weiter/)."),
        ('<p>A.</p><article><p>In einem Artikel.</p></article><p>B.</p>', "A.\n\nIn einem Artikel.\n\nB."),
        (f'<p>Satz.<sup><a href="{PAGE}#fn1" id="r1">1</a></sup></p><ol><li id="fn1">Note. '
         f'<a href="{PAGE}#r1">↩</a></li></ol>', "Satz.[^1]\n\n[^1]: Note."),
        ('<p>A.</p><noscript><img src="/n.jpg" alt="N"></noscript>', "A.\n\n![N](bild.jpg)"),
        ('<p>A.</p><img data-src="/n.jpg" src="data:image/svg+xml,x" alt="N"><noscript>'
         '<img src="/n.jpg" alt="N"></noscript>', "A.\n\n![N](bild.jpg)"),
        ('<div class="wp-caption"><img src="/c.jpg" alt="C"><p class="wp-caption-text">Unten</p></div>',
         '![C](bild.jpg "Unten")'),
        ('<div class="wp-block-file"><a href="/x.pdf">Datei</a><a href="/x.pdf" '
         'class="wp-block-file__button">Herunterladen</a></div>',
         "[Datei](https://umbau.example.org/x.pdf)"),
        ('<h4>Frage</h4><button><svg><path/></svg></button><p>Antwort.</p>', "## Frage\n\nAntwort."),
        ("<p>A.</p><odd<tag>B.", "A.\n\nB."),
        ("<p>Neu <ins>ist</ins> <del>war</del> es.</p>", "Neu ist ~~war~~ es."),
        ("<p>Wie <code>[gallery ids=\"1\"]</code> geht.</p>", "Wie `[gallery ids=\"1\"]` geht."),
    ],
)  # fmt: skip
def test_what_sites_write_is_carried_over(html: str, expected: str) -> None:
    assert composed(html)[0] == expected


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ("<p>A.</p><script>x</script>", "ein Skript"),
        ('<p>A.</p><video src="https://f.example.org/x.mp4"></video>', "f.example.org"),
        ('<p>A.</p><div class="kg-card kg-audio-card"><div>Folge 3</div></div>', "Folge 3"),
        ('<p>A.</p><form><button>Los</button></form>', "ein Formular"),
        ('<p>A.</p><img src="data:image/gif;base64,R0" alt="x">', "ohne brauchbare Adresse"),
        ('<p><a href="http://[x">A.</a></p>', "Link"),
        ('<p>A.</p><img src="javascript:x" alt="x">', "ohne brauchbare Adresse"),
    ],
)  # fmt: skip
def test_what_is_not_carried_over_is_told_with_its_place(html: str, said: str) -> None:
    body, notes = composed(html)
    assert body == "A."
    assert len(notes) == 1
    assert said in notes[0]
    assert "„A.“" in notes[0] or said == "Link"


@pytest.mark.parametrize(
    "html",
    [
        "<style>p {color: red}</style><p>A.</p>",
        '<p>A.</p><img src="/pixel.gif" width="1" height="1" alt="">',
        '<p>A.</p><script type="application/ld+json">{}</script>',
        "<p>A.</p><!-- wp:paragraph -->",
    ],
)
def test_what_nobody_sees_is_left_out_in_silence(html: str) -> None:
    assert composed(html) == ("A.", [])


def test_a_title_picture_stands_above_the_text_with_all_that_stands_there() -> None:
    body, _ = composed("Ohne Absatz.<p>Und mit.</p>", image="https://umbau.example.org/t.jpg")
    assert body == "![](bild.jpg)\n\nOhne Absatz.\n\nUnd mit."


def test_pictures_are_named_after_what_they_show() -> None:
    one = '<p>A.</p><img src="/1.jpg" alt="1">'
    two = f'{one}<img src="/2.jpg" alt="2">'
    assert composed(one)[0] in composed(two)[0]


def test_a_taken_name_gets_that_of_the_source() -> None:
    day = date(2026, 11, 24)
    assert draft_name("Der Laden", day, "Werk Hof", frozenset({"der-laden"})) == (
        "2026-11-24-der-laden-werk-hof"
    )
    both = frozenset({"der-laden", "der-laden-werk-hof"})
    assert draft_name("Der Laden", day, "Werk Hof", both).endswith("-werk-hof-2")
