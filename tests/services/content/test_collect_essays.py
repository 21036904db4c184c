"""Posts of the organisation's own site become essays: once each, and nobody's text is replaced."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from upcycle_news.services.content import collect_essays, drafts
from upcycle_news.services.content.take_essays import take_drafts, waiting_drafts
from upcycle_news.storage import collected_posts

from ... import fork_server
from ...publications import CommandResult, Publication
from .post_site import PostSite, SitePost, post_site, sources

NAME = "2026-11-24-was-vom-laden-bleibt"
POST = SitePost()


@pytest.fixture
def site() -> Iterator[PostSite]:
    with post_site() as running:
        yield running


def configure(publication: Publication, *addresses: str, **options: object) -> None:
    path = publication.home / "newsletter.toml"
    text = path.read_text(encoding="utf-8").partition("\n[feeds]")[0].partition("\n[[sources]]")[0]
    path.write_text(f"{text}\n{sources(*addresses, **options)}", encoding="utf-8")  # type: ignore[arg-type]


def collect(publication: Publication, code: int = 0) -> list[dict[str, object]]:
    posts = publication.run("essay", "collect", "--json", code=code).json["posts"]
    assert isinstance(posts, list)
    return posts


def draft(publication: Publication, name: str = NAME) -> Path:
    return publication.home / "var/collected" / name / "essays" / f"{name}.md"


def essay(publication: Publication, name: str = NAME) -> Path:
    return publication.home / "content/essays" / f"{name}.md"


# --- once each


def test_a_post_of_wordpress_becomes_a_draft_once(publication: Publication, site: PostSite) -> None:
    picture = site.picture("/wp-content/tor.jpg")
    html = (
        f'<p>Der Laden ist "offen".</p><figure class="wp-block-image"><img src="{picture}" alt="Ein Tor"/>'
        "<figcaption>Das Tor</figcaption></figure><p>Der Beitrag <a href='x'>Was vom Laden bleibt</a> "
        "erschien zuerst auf <a href='y'>Umbau e. V.</a>.</p>"
    )
    configure(publication, site.wordpress(replace(POST, html=html)))
    [post] = collect(publication)
    assert (post["outcome"], post["name"], post["notes"]) == ("new", NAME, [])
    text = draft(publication).read_text(encoding="utf-8")
    assert text.startswith(
        '---\ntitle: "Was vom Laden bleibt"\nauthor: "Mathilde Übersee"\ndate: 2026-11-24\nlanguage: de\n'
    )
    assert 'topics: ["Bauen"]\nstatus: draft\n' in text
    assert f'canonical: "{site.address}/laden/"' in text
    assert "Der Laden ist „offen“." in text
    assert "erschien zuerst" not in text
    [file] = draft(publication).parents[1].glob("images/*.jpg")
    assert f'![Ein Tor]({file.name} "Das Tor")' in text
    assert collect(publication) == []
    assert site.requests.count("/wp-content/tor.jpg") == 1


def test_a_post_of_ghost_brings_its_title_picture(publication: Publication, site: PostSite) -> None:
    image = site.picture("/content/images/size/w1200/2026/11/tor.jpg")
    post = replace(
        POST, image=image, summary="Ein Laden macht auf.", html="<p>Es riecht nach Holz.</p>"
    )
    configure(publication, site.ghost(post))
    [made] = collect(publication)
    text = draft(publication).read_text(encoding="utf-8")
    assert text.count("![") == 1
    assert 'summary: "Ein Laden macht auf."' in text
    assert any("keine Beschreibung" in str(note) for note in made["notes"])  # type: ignore[attr-defined]
    assert collect(publication) == []


def test_a_title_picture_that_is_in_the_text_comes_once(
    publication: Publication, site: PostSite
) -> None:
    small = site.picture("/content/images/size/w600/2026/tor.jpg")
    large = site.picture("/content/images/2026/tor.jpg")
    html = f'<p>Holz und Glas.</p><img src="{small}" alt="Ein Tor">'
    configure(publication, site.ghost(replace(POST, html=html, image=large)))
    collect(publication)
    assert draft(publication).read_text(encoding="utf-8").count("![") == 1


def test_a_json_feed_and_an_atom_feed_are_sources_as_well(
    publication: Publication, site: PostSite
) -> None:
    item = {
        "id": "1", "url": f"{site.address}/eins", "title": "Eins", "content_html": "<p>Ein Text.</p>",
        "authors": [{"name": "Jan Beispiel"}], "tags": ["Holz"], "date_published": "2026-11-24T08:00:00Z",
    }  # fmt: skip
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": [item]}
    site.pages["/feed.json"] = json.dumps(feed).encode()
    site.pages["/atom"] = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><id>x</id><updated>2026-11-24T08:00:00Z'
        "</updated><entry><title>Zwei</title><id>tag:2</id>"
        f'<link href="{site.address}/zwei"/><author><name>Mara Muster</name><email>m@example.org</email>'
        '</author><category term="Glas"/><updated>2026-11-24T08:00:00Z</updated>'
        '<content type="html">&lt;p&gt;Noch ein Text.&lt;/p&gt;</content></entry></feed>'
    ).encode()
    configure(publication, f"{site.address}/feed.json", f"{site.address}/atom")
    names = [str(post["name"]) for post in collect(publication)]
    texts = [draft(publication, name).read_text(encoding="utf-8") for name in names]
    assert ['author: "Jan Beispiel"' in texts[0], 'topics: ["Holz"]' in texts[0]] == [True, True]
    assert ['author: "Mara Muster"' in texts[1], 'topics: ["Glas"]' in texts[1]] == [True, True]


def test_the_status_of_a_source_is_that_of_its_essays(
    publication: Publication, site: PostSite
) -> None:
    picture = site.picture("/tor.jpg")
    bare = replace(
        POST, number=8, slug="tor", title="Ein Tor", html=f'<p>Holz.</p><img src="{picture}">'
    )
    configure(
        publication, site.wordpress(POST, bare), more=['status = "ready"', 'topics = ["Ort"]']
    )
    collect(publication)
    assert 'topics: ["Ort", "Bauen"]\nstatus: ready' in draft(publication).read_text(
        encoding="utf-8"
    )
    # A picture without a description is an error of an essay: what is ready with it stops an issue.
    assert "status: draft" in draft(publication, "2026-11-24-ein-tor").read_text(encoding="utf-8")


def test_posts_before_a_day_stay_out(publication: Publication, site: PostSite) -> None:
    old = replace(POST, number=8, slug="alt", title="Alt", at=datetime(2026, 1, 2, tzinfo=UTC))
    configure(publication, site.wordpress(POST, old), more=["since = 2026-11-01"])
    assert [post["title"] for post in collect(publication)] == ["Was vom Laden bleibt"]


def test_a_post_that_an_editor_took_over_by_hand_is_known_by_its_address(
    publication: Publication, site: PostSite
) -> None:
    publication.write_essay("Von Hand", canonical=f"{site.address}/laden/")
    configure(publication, site.wordpress(POST))
    assert collect(publication) == []


def test_one_post_in_two_feeds_is_one_draft(publication: Publication, site: PostSite) -> None:
    configure(publication, site.wordpress(POST), site.ghost(POST))
    assert [post["source"] for post in collect(publication)] == ["A"]


def test_two_sources_with_the_same_title_have_names_of_their_own(
    publication: Publication, site: PostSite
) -> None:
    other = replace(POST, slug="anders", number=8)
    configure(publication, site.wordpress(POST), site.ghost(other))
    first, second = collect(publication)
    assert (first["name"], second["name"]) == (NAME, f"{NAME}-b")
    assert "heißt was-vom-laden-bleibt-b" in str(second["notes"])
    publication.run("essay", "take", "--all")
    assert publication.run("essay", "list", "--json").out.count('"draft"') == 2


# --- what makes no essay


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"whole": False}, "nur eine Zusammenfassung"),
        ({"html": "<p>Der Laden ist offen. [&#8230;]</p>"}, "mittendrin"),
        ({"html": "<p>Der Laden ist offen.</p><p><a href='/laden/'>Weiterlesen</a></p>"}, "mittendrin"),
        ({"html": "<p>Der Laden.</p><p><a class='more-link' href='/laden/'>Mehr dazu</a></p>"}, "mittendrin"),
        ({"html": "<p>Der Laden ist offen, und dann…</p>"}, "mittendrin"),
        ({"html": "<p> </p>", "summary": ""}, "keinen Text"),
    ],
)  # fmt: skip
def test_a_post_that_is_cut_is_told_once_and_makes_no_essay(
    publication: Publication, site: PostSite, changes: dict[str, object], said: str
) -> None:
    configure(publication, site.wordpress(replace(POST, **changes)))  # type: ignore[arg-type]
    [post] = collect(publication, code=1)
    assert post["outcome"] == "refused"
    assert said in str(post["sentence"])
    assert drafts.all_drafts(publication.context()) == ()
    assert collect(publication) == []
    configure(publication, site.wordpress(POST))  # the site has set its feed right
    assert [post["outcome"] for post in collect(publication)] == ["new"]


@pytest.mark.parametrize(
    "html",
    [
        "<p>" + "Ein langer Text über Holz und Glas. " * 40 + "Und so weiter …</p>",
        "<p>Lesen Sie weiter, hieß es. Das Wort [sic] steht im Original.</p>",
        "<p>Kurz und ganz.</p>",
    ],
)
def test_a_whole_text_is_not_taken_for_a_cut_one(
    publication: Publication, site: PostSite, html: str
) -> None:
    configure(publication, site.wordpress(replace(POST, html=html)))
    assert [post["outcome"] for post in collect(publication)] == ["new"]


def test_a_post_that_no_essay_can_show_is_told(publication: Publication, site: PostSite) -> None:
    configure(publication, site.wordpress(replace(POST, title="Der {{ laden }}")))
    [post] = collect(publication, code=1)
    assert (post["outcome"], drafts.all_drafts(publication.context())) == ("refused", ())


# --- what is not carried over


def test_what_only_works_on_the_page_is_said_line_by_line(
    publication: Publication, site: PostSite
) -> None:
    pictures = [
        site.picture(f"/{number}.jpg", color) for number, color in enumerate(("red", "blue"))
    ]
    html = (
        "<p>Vor dem Skript.</p><script>alert(1)</script><p>Vor dem Film.</p>"
        '<iframe src="https://film.example.org/embed/1"></iframe><p>[gallery ids="1,2"] [sic]</p>'
        '<form><input name="x"><button>Los</button></form><p>Vor der Galerie.</p>'
        '<figure class="wp-block-gallery">'
        + "".join(
            f'<figure class="wp-block-image"><img src="{p}" alt="Bild"></figure>' for p in pictures
        )
        + f'</figure><p>Nach allem.</p><img src="{site.address}/fehlt.jpg" alt="Weg">'
        f'<img src="{site.address}/pixel" width="1" height="1">'
    )
    configure(publication, site.wordpress(replace(POST, html=html)))
    [post] = collect(publication)
    assert post["notes"] == [
        'nicht übernommen: ein Baustein, den die Seite nicht ausgeführt hat: [gallery ids="1,2"]',
        "nicht übernommen: ein Skript der Seite, bei „Vor dem Skript.“",
        "nicht übernommen: etwas Eingebettetes (film.example.org), bei „Vor dem Film.“",
        "nicht übernommen: ein Formular oder ein Knopf, bei „[sic]“",
        "eine Galerie ist aufgelöst, ihre 2 Bilder stehen untereinander, bei „Vor der Galerie.“",
        f"nicht übernommen: das Bild {site.address}/fehlt.jpg, bei „Nach allem.“: "
        "Der Server antwortete: 404 Not Found. Prüfen Sie die Adresse.",
    ]
    text = draft(publication).read_text(encoding="utf-8")
    assert (text.count("!["), "gallery" in text, r"\[sic\]" in text) == (2, False, True)
    assert "/pixel" not in site.requests


def test_pictures_of_private_hosts_and_what_is_none_are_left_out(
    publication: Publication, site: PostSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/kein.jpg"] = b"<html>"
    html = (
        f'<p>Holz.</p><img src="http://10.1.2.3/x.jpg" alt="Innen"><img src="{site.address}/kein.jpg" alt="X">'
        '<img src="http://169.254.169.254/meta.jpg" alt="Y">'
    )
    configure(publication, site.wordpress(replace(POST, html=html)))
    [post] = collect(publication)
    assert len(post["notes"]) == 3  # type: ignore[arg-type]
    assert "![" not in draft(publication).read_text(encoding="utf-8")
    large = site.picture("/gross.jpg")
    monkeypatch.setattr(collect_essays, "PICTURE_BYTES", 100)
    other = replace(
        POST, number=8, slug="gross", title="Groß", html=f'<p>G.</p><img src="{large}" alt="G">'
    )
    site.wordpress(other)
    [post] = collect(publication)
    assert "gross.jpg" in str(post["notes"])


def test_a_source_on_a_private_host_is_refused_unless_it_is_allowed(
    publication: Publication, site: PostSite
) -> None:
    configure(publication, site.wordpress(POST), private=False)
    result = publication.run("essay", "collect", code=1)
    assert result.err.startswith("A: ")
    assert site.requests == []


def test_a_source_that_fails_stops_no_other(publication: Publication, site: PostSite) -> None:
    configure(publication, f"{site.address}/nichts", site.wordpress(POST))
    result = publication.run("essay", "collect", "--json", code=1).json
    assert [post["outcome"] for post in result["posts"]] == ["new"]
    assert [failed["source"] for failed in result["failed"]] == ["A"]


# --- a post that changes


def test_a_draft_that_nobody_edited_is_renewed(publication: Publication, site: PostSite) -> None:
    first, second = site.picture("/eins.jpg"), site.picture("/zwei.jpg", "blue")
    text = '<p>Der Laden ist offen.</p><img src="{}" alt="Ein Tor">'
    configure(publication, site.wordpress(replace(POST, html=text.format(first))))
    collect(publication)
    site.wordpress(replace(POST, html=text.format(second).replace("offen", "zu")))
    [post] = collect(publication)
    assert post["outcome"] == "updated"
    assert "-Der Laden ist offen.\n+Der Laden ist zu.\n" in str(post["diff"])
    assert "Der Laden ist zu." in draft(publication).read_text(encoding="utf-8")
    assert len(list(draft(publication).parents[1].glob("images/*"))) == 1
    assert collect(publication) == []


def test_a_draft_that_an_editor_changed_stays(publication: Publication, site: PostSite) -> None:
    configure(publication, site.wordpress(POST))
    collect(publication)
    edited = draft(publication).read_text(encoding="utf-8").replace("Holz", "Eiche")
    draft(publication).write_text(edited, encoding="utf-8")
    site.wordpress(replace(POST, html=POST.html.replace("offen", "zu")))
    [post] = collect(publication)
    assert post["outcome"] == "changed"
    assert "Sie haben den Entwurf bearbeitet" in str(post["sentence"])
    assert "wieder zu" in str(post["diff"])
    assert draft(publication).read_text(encoding="utf-8") == edited
    assert "wieder zu" in (publication.home / f"var/collected/{NAME}/update.diff").read_text()
    assert collect(publication) == []


def test_an_essay_is_merged_with_the_change_on_command_only(
    publication: Publication, site: PostSite
) -> None:
    paragraphs = "<p>Der Laden ist offen.</p><p>Es gibt Tee.</p><p>Es riecht nach Holz.</p>"
    configure(publication, site.wordpress(replace(POST, html=paragraphs)))
    collect(publication)
    publication.run("essay", "take", NAME)
    before_last = essay(publication).read_text(encoding="utf-8").rsplit("nach Holz.", 1)
    mine = "nach Eiche.".join(before_last)  # in the text, not in the summary
    essay(publication).write_text(mine.replace("status: draft", "status: ready"), encoding="utf-8")
    before = essay(publication).read_bytes()
    site.wordpress(replace(POST, html=paragraphs.replace("ist offen", "ist zu")))
    [post] = collect(publication)
    assert post["outcome"] == "changed"
    assert essay(publication).read_bytes() == before
    assert "geändert auf der Webseite" in publication.run("essay", "take").out
    publication.run("essay", "take", NAME)
    merged = essay(publication).read_text(encoding="utf-8")
    assert ["ist zu." in merged, "nach Eiche." in merged, "status: ready" in merged] == [True] * 3
    assert (collect(publication), waiting_drafts(publication.context())) == ([], ())


def test_a_change_of_the_same_lines_is_left_to_the_editor(
    publication: Publication, site: PostSite
) -> None:
    configure(publication, site.wordpress(POST))
    collect(publication)
    publication.run("essay", "take", NAME)
    mine = essay(publication).read_text(encoding="utf-8").replace("wieder offen", "geschlossen")
    essay(publication).write_text(mine, encoding="utf-8")
    site.wordpress(replace(POST, html=POST.html.replace("wieder offen", "umgezogen")))
    collect(publication)
    result = publication.run("essay", "take", NAME, code=1)
    assert "dieselben Zeilen" in result.err
    assert essay(publication).read_text(encoding="utf-8") == mine


def test_a_change_without_its_picture_waits_for_the_next_collection(
    publication: Publication, site: PostSite
) -> None:
    picture = site.picture("/tor.jpg")
    html = f'<p>Der Laden ist offen.</p><img src="{picture}" alt="Ein Tor">'
    configure(publication, site.wordpress(replace(POST, html=html)))
    collect(publication)
    site.broken.add("/tor.jpg")
    site.wordpress(replace(POST, html=html.replace("offen", "zu")))
    [post] = collect(publication)
    assert "lässt sich gerade nicht holen" in str(post["sentence"])
    assert "ist offen" in draft(publication).read_text(encoding="utf-8")
    site.broken.clear()
    assert [post["outcome"] for post in collect(publication)] == ["updated"]


@pytest.mark.parametrize("kind", ["missing", "broken", "private"])
def test_a_change_does_not_wait_for_a_picture_that_never_was_there(
    publication: Publication, site: PostSite, kind: str
) -> None:
    address = "http://10.1.2.3/x.jpg" if kind == "private" else f"{site.address}/weg.jpg"
    site.broken |= {"/weg.jpg"} if kind == "broken" else set()
    html = f'<p>Der Laden ist offen.</p><img src="{address}" alt="Weg">'
    configure(publication, site.wordpress(replace(POST, html=html)))
    collect(publication)
    site.wordpress(replace(POST, html=html.replace("offen", "zu")))
    assert [post["outcome"] for post in collect(publication)] == ["updated"]


def test_a_picture_that_the_site_deleted_goes_with_the_change(
    publication: Publication, site: PostSite
) -> None:
    html = f'<p>Der Laden ist offen.</p><img src="{site.picture("/tor.jpg")}" alt="Ein Tor">'
    configure(publication, site.wordpress(replace(POST, html=html)))
    collect(publication)
    del site.pages["/tor.jpg"]
    site.wordpress(replace(POST, html=html.replace("offen", "zu")))
    [post] = collect(publication)
    assert (post["outcome"], len(post["notes"])) == ("updated", 1)  # type: ignore[arg-type]


def test_a_post_that_is_gone_is_told_once_and_its_draft_stays(
    publication: Publication, site: PostSite
) -> None:
    older = replace(POST, number=3, slug="alt", title="Älter", at=datetime(2026, 11, 2, tzinfo=UTC))
    configure(publication, site.wordpress(POST, older))
    site.pages["/laden/"] = b"<html>"
    collect(publication)
    site.wordpress(older)
    assert collect(publication) == [], "it has left the feed, and its page is there"
    del site.pages["/laden/"]
    [post] = collect(publication)
    assert (post["outcome"], draft(publication).is_file()) == ("gone", True)
    assert collect(publication) == []


def test_a_post_that_is_older_than_the_feed_is_not_asked_for(
    publication: Publication, site: PostSite
) -> None:
    configure(publication, site.wordpress(POST))
    collect(publication)
    newer = replace(POST, number=9, slug="neu", title="Neu", at=datetime(2026, 11, 25, tzinfo=UTC))
    site.wordpress(newer)
    assert [post["title"] for post in collect(publication)] == ["Neu"]
    assert "/laden/" not in site.requests


# --- taking


def test_a_draft_is_taken_with_its_pictures(publication: Publication, site: PostSite) -> None:
    picture = site.picture("/tor.jpg")
    html = f'<p>Holz.</p><img src="{picture}" alt="Ein Tor">'
    configure(publication, site.wordpress(replace(POST, html=html)))
    collect(publication)
    assert publication.run("essay", "take").out.startswith(f"{NAME}: ")
    assert publication.run("essay", "take", NAME).out == f"content/essays/{NAME}.md\n"
    assert list((publication.home / "content/images").glob("was-vom-laden-bleibt-*.jpg"))
    assert not (publication.home / "var/collected" / NAME).exists()
    [listed] = publication.run("essay", "list", "--json").lines
    assert listed["status"] == "draft"
    assert "Es liegt kein Entwurf da" in publication.run("essay", "take", NAME, code=1).err


def test_nothing_is_taken_over_an_essay_or_a_picture(
    publication: Publication, site: PostSite
) -> None:
    picture = site.picture("/tor.jpg")
    html = f'<p>Holz.</p><img src="{picture}" alt="Ein Tor">'
    configure(publication, site.wordpress(replace(POST, html=html)))
    collect(publication)
    [file] = draft(publication).parents[1].glob("images/*")
    (publication.home / "content/images" / file.name).write_bytes(b"other")
    assert "mit anderem Inhalt" in publication.run("essay", "take", NAME, code=1).err
    (publication.home / "content/images" / file.name).unlink()
    publication.write_essay("Was vom Laden bleibt")
    assert "Es gibt schon einen Essay" in publication.run("essay", "take", NAME, code=1).err
    assert not (publication.home / "content/images" / file.name).exists()


@pytest.mark.parametrize("name", ["../../content", "", ".lock", "gibt-es-nicht"])
def test_a_name_that_no_draft_has_is_refused(
    publication: Publication, site: PostSite, name: str
) -> None:
    configure(publication, site.wordpress(POST))
    collect(publication)
    publication.run("essay", "take", name, code=1)


# --- kills


KILLED = """
import os, signal, sys
from pathlib import Path
from upcycle_news.services.content import collect_essays, drafts
from upcycle_news.storage import collected_posts
from upcycle_news import open_app

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

target, name = {"save": (collected_posts, "save"), "place": (drafts, "place"), "check": (drafts, "check")}[sys.argv[1]]
setattr(target, name, die)
with open_app() as app:
    app.essays.collect()
"""


@pytest.mark.parametrize("where", ["check", "place", "save"])
def test_a_killed_collection_leaves_nothing_half_written(
    publication: Publication, site: PostSite, where: str
) -> None:
    picture = site.picture("/tor.jpg")
    html = f'<p>Holz.</p><img src="{picture}" alt="Ein Tor">'
    configure(publication, site.wordpress(replace(POST, html=html)))
    killed = fork_server.run(
        [sys.executable, "-c", KILLED, where],
        cwd=publication.home,
        env=dict(os.environ),
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    context = publication.context()
    for left in drafts.all_drafts(context):
        drafts.check(context, left)
    assert [post["name"] for post in collect(publication)] == [NAME]
    assert collect(publication) == []
    folder = publication.home / "var/collected"
    assert sorted(path.name for path in folder.iterdir()) == [".lock", NAME]
    assert [taken.error for taken in take_drafts(context, [NAME])] == [None]


def test_two_collections_at_once_are_one(publication: Publication, site: PostSite) -> None:
    configure(publication, site.wordpress(POST))
    with collect_essays._alone(publication.context()):
        assert "Gerade werden schon" in publication.run("essay", "collect", code=1).err
    assert len(collect(publication)) == 1


# --- what people read


def test_the_command_says_what_came_in_german(publication: Publication, site: PostSite) -> None:
    cut = replace(POST, number=8, slug="kurz", title="Kurz", whole=False)
    configure(publication, site.wordpress(POST, cut))
    result: CommandResult = publication.run("essay", "collect", code=1)
    assert result.out.splitlines()[0] == (
        "1 neu, 0 erneuert, 0 geändert, 1 nicht übernommen, 0 unverändert"
    )
    assert f"„upcycle-news essay take {NAME}“ übernimmt ihn." in result.out
    assert "Kurz (A): Der Feed enthält nur eine Zusammenfassung" in result.err


def test_without_a_source_the_command_says_what_to_write(publication: Publication) -> None:
    assert "[[sources]]" in publication.run("essay", "collect", code=1).err


def test_a_source_is_chosen_by_its_name(publication: Publication, site: PostSite) -> None:
    other = replace(POST, number=8, slug="zwei", title="Zwei")
    configure(publication, site.wordpress(POST), site.ghost(other), more=["active = false"])
    assert collect(publication) == []
    [post] = publication.run("essay", "collect", "B", "--json").json["posts"]
    assert post["source"] == "B"
    assert "dort stehen A, B" in publication.run("essay", "collect", "C", code=1).err
    assert len(collected_posts.read_all(publication.context().store)) == 1
