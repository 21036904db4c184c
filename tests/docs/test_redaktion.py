"""The editors' guide: its commands run unchanged and in their order in a checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import typer

from upcycle_news.cli.app import commands
from upcycle_news.content.essays import KEYS, read_essays
from upcycle_news.i18n.messages import catalogue
from upcycle_news.text.markdown.fenced_blocks import KINDS, fenced_blocks
from upcycle_news.text.markdown.parser import parse_body

from ..checks.essay.bodies import findings_of
from ..publications import Publication, parse_mail
from ..rendering.sample_manifest import png

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/redaktion.md").read_text(encoding="utf-8")
SAMPLE, PAGE, BLOCKS, FAULTY = re.findall(r"```markdown\n(.*?)```", GUIDE, re.DOTALL)
FOUND, PLACEHOLDER = re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)
UPSTREAM = "https://git.example.org/redaktion/umbaupost.git"


def script() -> str:
    """Return the ``sh`` blocks, and between them the probes of its hidden comments."""
    parts = re.findall(r"```sh\n(.*?)```|<!-- probe: (.*?) -->", GUIDE, re.DOTALL)
    # Bash replaces itself by its last command; so something has to follow the one that asks for its shell.
    return "\n".join([*(block or f"{probe}\n" for block, probe in parts), "true"])


def git(folder: Path, *arguments: str) -> str:
    options = ("-c", "user.name=Technik", "-c", "user.email=technik@example.org", *arguments)
    done = subprocess.run(["git", *options], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def test_every_command_of_the_guide_works(publication: Publication, tmp_path: Path) -> None:
    addresses = publication.add_many_subscribers(2)
    home, upstream = publication.home, tmp_path / "upstream.git"
    (home / ".gitignore").write_text("var/\n")
    git(home, "init", "--quiet", "--initial-branch", "main")
    git(home, "add", ".")
    git(home, "commit", "--quiet", "-m", "Anfang")
    git(tmp_path, "clone", "--quiet", "--bare", str(home), str(upstream))
    editor_home = tmp_path / "editor_home"
    editor_home.mkdir()
    (editor_home / ".gitconfig").write_text(
        f'[user]\n\tname = Mathilde Übersee\n\temail = redaktion@example.org\n[url "{upstream}"]\n'
        f"\tinsteadOf = {UPSTREAM}\n"
    )
    text = "Der Bahnhof steht leer."
    editor = f"sed -i -e s/draft/ready/ -e 's/^Hier beginnt.*/{text}/'"
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script()],
        cwd=editor_home,
        env={
            **os.environ,
            "HOME": str(editor_home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "EDITOR": editor,
            "VISUAL": "",
            "UPCYCLE_NEWS_STATE": str(home / "var"),  # with the subscribers of above
        },
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "alles in Ordnung" in done.stdout
    assert "{+seit Jahren+}" in done.stdout or "{+, seit Jahren+}" in done.stdout, done.stdout
    assert re.search(r"ready|planned", done.stdout)
    assert "davon 2" in done.stdout + done.stderr
    mails = [parse_mail(mail) for mail in publication.mails()]
    tests = [mail for mail in mails if str(mail["Subject"]).startswith("[Test]")]
    assert len(tests) == 1
    assert publication.recipients() == sorted([*addresses, "redaktion@example.org"])
    assert "Essay über den Bahnhof" in git(upstream, "log", "--format=%s %an")
    assert "Mathilde Übersee" in git(upstream, "log", "--format=%s %an")


def test_commands_in_the_text_exist_with_their_options() -> None:
    root: Any = typer.main.get_command(commands)
    lines = re.findall(r"`(upcycle-news [^`]+)`", GUIDE)
    assert len(lines) > 5
    for line in lines:
        command = root
        words = line.split()[1:]
        while words and hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        assert not hasattr(command, "commands"), line
        known = {name for parameter in command.load().params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_the_sample_front_matter_can_be_read(publication: Publication) -> None:
    folder = publication.home / "content"
    (folder / "images/bahnhof.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (folder / "essays/2026-11-26-was-vom-bahnhof-bleibt.md").write_text(SAMPLE, encoding="utf-8")
    collection = read_essays(folder, publication.home, "de")
    assert collection.errors == ()
    assert [essay.status for essay in collection.essays] == ["draft"]
    table = GUIDE.split("| Schlüssel |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) >= set(KEYS)


def test_the_blocks_of_the_guide_are_right_and_of_each_kind() -> None:
    assert findings_of(BLOCKS) == []
    kinds = {block.kind for block in fenced_blocks(parse_body(BLOCKS, language="de"))}
    assert kinds == set(KINDS.values())


def test_check_prints_what_the_guide_shows(publication: Publication) -> None:
    folder = publication.home / "content"
    (folder / "images/bahnhof.jpg").write_bytes(png())
    essay = folder / "essays/2026-11-26-was-vom-bahnhof-bleibt.md"
    essay.write_text(SAMPLE.replace("status: draft", "status: ready"), encoding="utf-8")
    assert publication.run("check", code=1).out == PLACEHOLDER


def test_the_page_to_copy_from_has_no_finding_and_shows_what_it_promises(
    publication: Publication,
) -> None:
    essay = publication.home / "content/essays/2026-11-26-ein-laden-fuer-alle.md"
    essay.write_text(PAGE.replace("status: draft", "status: ready"), encoding="utf-8")
    assert publication.run("check").out == "alles in Ordnung\n"
    preview = publication.run(
        "issue", "preview", "2026-11-26", "--no-open", "--no-collect", "--json"
    )
    html = (publication.home / preview.json["files"]["html"]).read_text(encoding="utf-8")
    for shown in ("<em>leise betont</em>", "<strong>laut</strong>", "„Gerade“", "Nachbar*innen"):
        assert shown in html, shown
    assert "[!note]" not in html
    assert "[ ]" not in html
    assert "==" not in re.sub(r"<style.*?</style>|=\"[^\"]*\"", "", html, flags=re.DOTALL)


def test_the_page_with_mistakes_has_the_findings_that_the_guide_shows(
    publication: Publication,
) -> None:
    essay = publication.home / "content/essays/2026-11-26-laden.md"
    essay.write_text(FAULTY, encoding="utf-8")
    found = publication.run("check", code=1).out
    assert [
        line for line in found.splitlines() if line.startswith("content/")
    ] == FOUND.splitlines()


def test_the_quoted_sentences_are_in_the_catalogue() -> None:
    quoted = re.findall(r"(?m)^\| … „(.+?)“ .*?\? \|", GUIDE)
    assert len(quoted) == 5
    sentences = str(list(catalogue("de").values()))
    assert [sentence for sentence in quoted if sentence not in sentences] == []
    assert f"„{catalogue('de')['nothing-found']}“" in GUIDE


def test_the_decisions_in_the_guide_are_those_of_the_flow() -> None:
    flow = (ROOT / "flows/publish_issue.py").read_text(encoding="utf-8")
    [answers] = re.findall(r"decision: Literal\[(.*?)\]", flow)
    table = GUIDE.split("| Antwort |")[1].split("\n\n")[0]
    assert re.findall(r"(?m)^\| \*(.+?)\* \|", table) == re.findall(r'"(.+?)"', answers)
