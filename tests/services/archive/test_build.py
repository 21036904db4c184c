"""Building the archive from the store: its contents, its time, and files it must not touch."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, UpcycleError
from upcycle_news.models import DeliveryState, IssueId, IssueState
from upcycle_news.services.archive import atomic_folder
from upcycle_news.services.archive.atomic_folder import LISTING
from upcycle_news.services.archive.build import build_archive
from upcycle_news.services.delivery import send
from upcycle_news.services.issues import compose, render
from upcycle_news.storage import deliveries, issues

from ...archive_site.sample_archive import dead_links, static_host
from ...cli.test_bad_input import room_for
from ...delivery.memory_ledger import Clock
from ...publications import (
    Publication,
    approve_issue,
    parse_mail,
    relay_variables,
    send_issue,
)
from ...rendering.sample_manifest import png

FIRST, SECOND = IssueId.parse("2026-11-26"), IssueId.parse("2026-11-26-2")


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("ours", [True, False])
def test_drafts_of_a_build_that_was_killed_go_with_the_next(tmp_path: Path, ours: bool) -> None:
    files = {"essays/tür/index.html": b"page"}
    atomic_folder.replace_files(tmp_path, files, keep=(), ours=ours)
    place = tmp_path / "essays/tür"
    (place / ".draft-a1_bcd9z").write_bytes(b"half")
    (tmp_path / "fremd").mkdir()
    foreign = [tmp_path / "fremd/.draft-a1_bcd9z", place / ".draft-brief.txt"]
    for path in foreign:
        path.write_bytes(b"of another program")
    atomic_folder.replace_files(tmp_path, files, keep=(), ours=ours)
    assert not (place / ".draft-a1_bcd9z").exists()
    assert ours or all(path.exists() for path in foreign)
    assert (place / "index.html").read_bytes() == b"page"


def two_sent(publication: Publication) -> AppContext:
    publication.add_subscribers("anna@example.org")
    context = publication.context()
    publication.write_essay("Was vom Bahnhof bleibt")
    send_issue(context, "2026-11-26")
    publication.write_essay("Die Schule am Rand")
    send_issue(context, "2026-11-26-2")
    return context


def test_drafts_of_a_killed_build_are_removed_by_the_next(publication: Publication) -> None:
    context = two_sent(publication)
    before = tree(context.archive_folder)
    for folder in ("", "archive/2026-11-26/", "essays/"):
        (context.archive_folder / f"{folder}.draft-abcd1234").write_text("half a page")
    build_archive(context)
    assert tree(context.archive_folder) == before


def test_building_again_without_changes_writes_nothing(publication: Publication) -> None:
    context = two_sent(publication)
    before = stamps(context.archive_folder)
    report = build_archive(context)
    assert (report.issues, report.essays, report.written, report.removed) == (2, 2, 0, 0)
    assert stamps(context.archive_folder) == before


def test_a_sent_essay_is_shown_after_its_file_was_deleted(publication: Publication) -> None:
    context = two_sent(publication)
    before = tree(context.archive_folder)
    for essay in (publication.home / "content/essays").glob("*.md"):
        essay.unlink()
    assert build_archive(context).written == 0
    assert tree(context.archive_folder) == before


def test_the_pages_exist_before_the_first_mail_is_sent(publication: Publication) -> None:
    slug = publication.write_essay()
    publication.add_subscribers("anna@example.org")
    context = publication.context()
    _, rendered = approve_issue(context)
    assert not (context.archive_folder / "feed.xml").exists()
    send.enqueue(context, rendered)
    assert publication.mails() == []
    for path in (f"archive/{FIRST}/index.html", f"essays/{slug}/index.html", "feed.xml"):
        assert (context.archive_folder / path).is_file()
    assert (
        dead_links(tree(context.archive_folder), "https://umbaupost.example.net/", ("subscribe",))
        == []
    )


def test_an_issue_whose_archive_cannot_be_written_is_not_sent(publication: Publication) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    context = publication.context()
    chosen, rendered = approve_issue(context)
    context.archive_folder.parent.mkdir(exist_ok=True)
    context.archive_folder.write_text("a file where the folder should be")
    with pytest.raises(IssueError, match=r"not sent, for it has no archive: .*cannot be written"):
        send.enqueue(context, rendered)
    row = issues.get(context.store, chosen)
    assert row is not None
    assert row.state is IssueState.APPROVED


def test_an_issue_without_audience_is_not_published(publication: Publication) -> None:
    publication.write_essay()
    context = publication.context()
    _, rendered = approve_issue(context)
    with pytest.raises(IssueError, match="nobody to send to"):
        send.enqueue(context, rendered)
    assert not (context.archive_folder / f"archive/{FIRST}").exists()
    assert not (context.archive_folder / "feed.xml").exists()


def test_a_test_mail_publishes_nothing(publication: Publication) -> None:
    publication.write_essay()
    publication.run("issue", "send", "--test", "redaktion@example.org", "--no-collect")
    assert publication.recipients() == ["redaktion@example.org"]
    assert not (publication.home / "var/archive/archive").exists()


def test_an_issue_cancelled_before_delivery_is_not_shown(publication: Publication) -> None:
    publication.add_subscribers("anna@example.org")
    slug = publication.write_essay()
    context = publication.context()
    chosen, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    assert (context.archive_folder / f"essays/{slug}/index.html").is_file()
    publication.run("issue", "cancel", str(chosen), "--yes")
    assert not (context.archive_folder / f"archive/{chosen}").exists()
    assert not (context.archive_folder / f"essays/{slug}").exists()
    assert not (context.archive_folder / "feed.xml").exists()
    assert "Noch ist keine Ausgabe" in (context.archive_folder / "index.html").read_text("utf-8")


def cancel_second(context: AppContext, state: DeliveryState) -> None:
    """Cancel the second issue while it is sent again, its delivery in this state."""
    context.store.execute_outside_transaction(
        "UPDATE deliveries SET state = ? WHERE issue_id = '2026-11-26-2'", DeliveryState.UNKNOWN
    )
    deliveries.requeue(context.store, SECOND, DeliveryState.UNKNOWN, now=context.clock())
    context.store.execute_outside_transaction(
        "UPDATE deliveries SET state = ? WHERE issue_id = '2026-11-26-2'", state
    )
    issues.cancel(context.store, SECOND, by="test", reason="", now=context.clock())


def test_an_issue_cancelled_after_a_delivery_stays(publication: Publication) -> None:
    context = two_sent(publication)
    cancel_second(context, DeliveryState.SENT)
    assert build_archive(context).issues == 2


def test_a_missing_page_is_rebuilt_before_delivery_resumes(publication: Publication) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    context = publication.context()
    chosen, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    (context.archive_folder / f"archive/{chosen}/index.html").unlink()
    send.deliver_issue(context, chosen)
    assert (context.archive_folder / f"archive/{chosen}/index.html").is_file()


def test_every_link_of_a_sent_mail_has_a_page(publication: Publication) -> None:
    publication.write_essay("Was vom Bahnhof bleibt")
    publication.write_essay("Die Schule am Rand")
    publication.add_subscribers("anna@example.org")
    context = publication.context()
    send_issue(context)
    (raw,) = publication.mails()
    mail = parse_mail(raw)
    root = "https://umbaupost.example.net/"
    assert mail["List-Archive"] == f"<{root}archive/>"
    body = mail.get_body(("html",))
    assert body is not None
    text = mail.get_body(("plain",))
    assert text is not None
    links = set(re.findall(rf"{root}[^\s\"<>]*", body.get_content() + text.get_content()))
    pages = {link.removeprefix(root) for link in links if "/unsubscribe/" not in link}
    pages = {page for page in pages if not page.startswith("preferences/")}
    assert {f"archive/{FIRST}/", "archive/"} < pages
    assert any(page.startswith("essays/") for page in pages)
    for page in pages:
        assert (context.archive_folder / page / "index.html").is_file(), page


def test_no_page_contains_a_subscribers_address_name_or_token(publication: Publication) -> None:
    publication.run(
        "subscribers", "add", "anna.geheim@example.org", "--name", "Annegret Geheimrat",
        "--consent", "test",
    )  # fmt: skip
    context = two_sent(publication)
    tokens = {
        token
        for raw in publication.mails()
        for part in parse_mail(raw).walk()
        if part.get_content_maintype() == "text"
        for token in re.findall(r"(?:unsubscribe|preferences)/([\w-]{43})", part.get_content())
    }
    assert len(tokens) == 8  # two issues, two readers, two links
    secrets = {
        "anna@",
        "geheim",
        "annegret",
        "reader.invalid",
        "unsubscribe",
        "preferences",
        *tokens,
    }
    for path, data in tree(context.archive_folder).items():
        text = data.decode("utf-8", "ignore").casefold()
        assert not [secret for secret in secrets if secret.casefold() in text], path


# --- the folder


def test_foreign_files_in_the_folder_are_not_touched(publication: Publication) -> None:
    context = two_sent(publication)
    out = publication.home / "www"
    out.mkdir()
    (out / "impressum.html").write_text("mine")
    report = build_archive(context, out)
    assert (report.folder, report.issues) == (out, 2)
    assert (out / "impressum.html").read_text() == "mine"
    assert build_archive(context, out).written == 0
    other = publication.home / "other"
    other.mkdir()
    (other / "index.html").write_text("mine")
    with pytest.raises(UpcycleError, match="was not written by upcycle-news"):
        build_archive(context, other)
    assert [path.name for path in other.iterdir()] == ["index.html"]


def test_a_listing_with_paths_outside_the_folder_removes_nothing_there(
    publication: Publication,
) -> None:
    context = two_sent(publication)
    out, outside = publication.home / "www", publication.home / "newsletter.toml"
    build_archive(context, out)
    with (out / LISTING).open("a", encoding="utf-8") as listing:
        listing.write(f"../newsletter.toml\n{outside}\n")
    assert build_archive(context, out).removed == 0
    assert outside.is_file()


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "www"
    before = {"index.html": b"old", "a/index.html": b"old"}
    atomic_folder.replace_files(folder, before, keep=(), ours=False)
    unchanged = tree(folder)
    after = {"b/c/index.html": b"new", "index.html": b"new", "a/index.html": b"x" * 5000}
    with room_for(2000), pytest.raises(UpcycleError, match="make room"):
        atomic_folder.replace_files(folder, after, keep=(), ours=False)
    assert tree(folder) == unchanged
    assert not (folder / "b").exists()
    changes = atomic_folder.replace_files(folder, after, keep=(), ours=False)
    assert (changes.written, changes.removed) == (3, 0)


def test_obsolete_files_are_removed_with_their_folder(publication: Publication) -> None:
    context = two_sent(publication)
    cancel_second(context, DeliveryState.QUEUED)
    report = build_archive(context)
    assert (report.issues, report.removed) == (1, 3)
    assert not (context.archive_folder / f"archive/{SECOND}").exists()
    assert (context.archive_folder / f"archive/{FIRST}/index.html").is_file()


def test_unused_images_are_removed_and_those_of_previews_stay(
    publication: Publication,
) -> None:
    (publication.home / "content/images").mkdir(exist_ok=True)
    (publication.home / "content/images/haus.png").write_bytes(png(60, 40))
    (publication.home / "content/images/dach.png").write_bytes(png(30, 40))
    publication.add_subscribers("anna@example.org")
    context = publication.context(ISSUE__IMAGES="hosted")
    publication.write_essay("Ein Haus", image="haus.png", image_alt="Ein Haus")
    send_issue(context)
    publication.write_essay("Ein Dach", image="dach.png", image_alt="Ein Dach")
    render.render_revision(context, compose.compose_issue(context, SECOND))
    assert len(list((context.archive_folder / "images").iterdir())) == 2
    unused = context.archive_folder / "images" / f"{'0' * 32}.png"
    unused.write_bytes(b"of an issue that never was")
    assert build_archive(context).removed == 1
    assert len(list((context.archive_folder / "images").iterdir())) == 2


def test_a_broken_template_changes_nothing(publication: Publication) -> None:
    context = two_sent(publication)
    before = tree(context.archive_folder)
    path = publication.home / "templates/archive/home.html"
    text = path.read_text("utf-8").replace("{% endblock %}", "{{ nobody }}{% endblock %}")
    path.write_text(text, encoding="utf-8")
    errors = publication.run("archive", "build", code=1).err
    assert "templates/archive/home.html" in errors
    assert tree(context.archive_folder) == before
    assert "templates/archive/home.html" in publication.run("check", code=1).out


def test_the_command_reports_its_counts(publication: Publication) -> None:
    two_sent(publication)
    report = publication.run("archive", "build", "--json").json
    assert report == {
        "folder": str(publication.home / "var/archive"),
        "issues": 2, "essays": 2, "files": report["files"], "written": 0, "removed": 0,
        "rendered": 0, "reused": 8,
    }  # fmt: skip
    assert "nichts hat sich geändert" in publication.run("archive", "build").out
    assert "2 Ausgaben" in publication.run("archive", "build", "--out", "www").out
    assert (publication.home / "www/feed.xml").is_file()


# --- hosted elsewhere


def copy_command(target: Path) -> dict[str, str]:
    """Return settings that copy the archive to the folder of a static host."""
    script = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)"
    words = ", ".join(f'"{word}"' for word in (sys.executable, "-c", script, "{folder}", target))
    return {"ARCHIVE__COMMAND": f"[{words}]"}


def test_an_archive_elsewhere_is_published_before_the_first_mail(
    publication: Publication, tmp_path: Path, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    host_folder = tmp_path / "host"
    host_folder.mkdir()
    with static_host(host_folder) as host:
        settings = {"ARCHIVE__URL": host, **relay_variables(1)}
        context = publication.context(**settings)
        chosen, rendered = approve_issue(context)
        with pytest.raises(IssueError, match=r"page that does not answer.*archive\.command"):
            send.enqueue(context, rendered)
        assert not (context.archive_folder / f"archive/{chosen}").exists()
        broken = publication.context(**settings, ARCHIVE__COMMAND='["false"]')
        with pytest.raises(IssueError, match=r"archive\.command: false ended with 1"):
            send.enqueue(broken, rendered)
        context = publication.context(**settings, **copy_command(host_folder))
        assert send.enqueue(context, rendered) == 1
        page = (host_folder / f"archive/{chosen}/index.html").read_text("utf-8")
    assert f'<link rel="canonical" href="{host}/archive/{chosen}/">' in page
    assert 'href="https://umbaupost.example.net/subscribe"' in page
    published = host_folder / "index.html"
    published.unlink()
    build_archive(context)
    assert not published.exists()  # nothing had changed: the command did not run again
    del clock


def test_the_samples_archive_url_is_refused_with_a_relay(
    publication: Publication,
) -> None:
    publication.write_essay()
    context = publication.context(
        ARCHIVE__URL="https://archiv.example.org", RELAYS__MAIN__HOST="smtp.umbau-verein.de"
    )
    errors = render.render_revision(context, compose.compose_issue(context, FIRST)).errors
    assert "'archive.url' is still the sample's: write your own" in [
        str(error.text) for error in errors
    ]


def test_links_of_the_mail_lead_to_the_archives_own_url(publication: Publication) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    context = publication.context(ARCHIVE__URL="https://archiv.example.net/post")
    send_issue(context)
    (raw,) = publication.mails()
    mail = parse_mail(raw)
    assert mail["List-Archive"] == "<https://archiv.example.net/post/archive/>"
    body = mail.get_body(("html",))
    assert body is not None
    assert f"https://archiv.example.net/post/archive/{FIRST}/" in body.get_content()
    assert "https://umbaupost.example.net/unsubscribe/" in body.get_content()


def test_only_one_build_holds_the_lock(publication: Publication) -> None:
    context = two_sent(publication)
    with atomic_folder.exclusive_lock(context.settings.state / "archive.lock"):
        import fcntl

        with (context.settings.state / "archive.lock").open("w") as second, pytest.raises(OSError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
