"""Links to the publication's own site: told before anybody gets one that leads nowhere."""

from __future__ import annotations

import pytest

from upcycle_news.models import Finding, IssueId
from upcycle_news.services.checks.run import check_everything

from ...publications import Publication, send_issue

SITE = "https://umbaupost.example.net"


def own_links(publication: Publication) -> list[Finding]:
    found = check_everything(publication.context(), IssueId.parse("2026-11-26-2"))
    return [one for one in found if one.code.startswith("link-own")]


def told(publication: Publication, *links: str) -> dict[str, tuple[str, int]]:
    """Write an essay with these links and check it: the level and line of the finding for each link."""
    body = "\n\n".join(f"Ein Satz mit einem [Verweis {n}]({link})." for n, link in enumerate(links))
    publication.write_essay("Die Schule am Rand", body, summary="Kurz gesagt.")
    return {
        next(link for link in links if f"„{link}“" in one.line("de")): (
            one.level, int(one.where.rpartition(":")[2]),
        )
        for one in own_links(publication)
    }  # fmt: skip


@pytest.fixture
def sent(publication: Publication) -> Publication:
    """A publication that has sent an issue."""
    publication.add_subscribers("anna@example.org")
    publication.write_essay()
    send_issue(publication.context())
    return publication


def test_what_is_there_or_comes_with_the_issue_is_no_finding(sent: Publication) -> None:
    static = sent.home / "content/static/hefte"
    static.mkdir(parents=True)
    (static / "Das Heft.pdf").write_bytes(b"%PDF")
    (static / "index.html").write_text("<title>Hefte</title>")
    there = [
        SITE, f"{SITE}/", f"{SITE}/archive/", f"{SITE}/essays", f"{SITE}/feed.xml", f"{SITE}/subscribe",
        f"{SITE}/archive/2026-11-26/", f"{SITE}/archive/2026-11-26", f"{SITE}/archive/2026-11-26/#more",
        f"{SITE}/archive/2026-11-26/index.html", f"{SITE}/archive/2026-11-26/revision.txt",
        f"{SITE}/essays/was-vom-bahnhof-bleibt/?a=1", f"{SITE}/essays/die-schule-am-rand/",
        f"{SITE}/hefte/Das%20Heft.pdf", f"{SITE}/hefte/", f"{SITE}/hefte", "http://umbaupost.example.net/hefte/",
        "https://example.org/essays/anderswo/", "https://umbaupost.example.net:8443/x",
        "mailto:post@umbaupost.example.net",
    ]  # fmt: skip
    assert told(sent, *there) == {}


def test_what_is_not_there_is_told_at_its_line(sent: Publication) -> None:
    links = (
        f"{SITE}/essays/was-vom-bahnhof-blieb/",
        f"{SITE}/archive/2026-11-27/",
        f"{SITE}/images/0123.png",
        f"{SITE}/hefte/heft.pdf",
        f"{SITE}/archive/2026-13-99/",
        f"{SITE}/archive/neueste/",
    )
    found = told(sent, *links)
    first = found[links[0]][1]
    assert found == {
        links[0]: ("error", first),
        links[1]: ("error", first + 2),
        links[2]: ("error", first + 4),
        links[3]: ("warning", first + 6),
        links[4]: ("error", first + 8),
        links[5]: ("error", first + 10),
    }


@pytest.mark.parametrize("name", ["unsubscribe", "preferences", "confirm", "preview"])
def test_the_personal_link_of_a_reader_is_told_without_its_token(
    sent: Publication, name: str
) -> None:
    sent.write_essay("Die Schule am Rand", f"Zum [Abbestellen]({SITE}/{name}/AQAAGEHEIM) hier.")
    found = own_links(sent)
    assert {(one.code, one.level) for one in found} == {("link-own-personal", "error")}
    assert "GEHEIM" not in "".join(one.line("de") + one.line("en") for one in found)
    sent.write_essay("Die Schule am Rand", f"Zum [Abbestellen]({SITE}/{name}) hier.")
    assert {one.code for one in own_links(sent)} == {"link-own-missing"}


def test_an_issue_with_a_link_to_a_page_that_is_not_there_is_not_sent(sent: Publication) -> None:
    told(sent, f"{SITE}/essays/was-vom-bahnhof-blieb/")
    before = len(sent.mails())
    assert "was-vom-bahnhof-blieb" in sent.run("issue", "send", "--yes", code=1).err
    assert len(sent.mails()) == before


def test_links_of_the_templates_are_looked_at_as_well(sent: Publication) -> None:
    template = sent.home / "templates/newsletter.mjml"
    text = template.read_text(encoding="utf-8")
    link = f'<a href="{SITE}/datenschutz.html">Datenschutz</a>'
    section = f"<mj-section><mj-column><mj-text>{link}</mj-text></mj-column></mj-section></mj-body>"
    assert "</mj-body>" in text
    template.write_text(text.replace("</mj-body>", section, 1), encoding="utf-8")
    sent.write_essay("Die Schule am Rand")
    (found,) = own_links(sent)
    assert (found.level, found.where.partition(":")[0]) == ("warning", "issue.html")
