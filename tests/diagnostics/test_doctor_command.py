"""The command `doctor`: its output, its exit code, and that it changes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from upcycle_news.diagnostics.formatting import markdown, report_lines
from upcycle_news.diagnostics.probes import PROBES
from upcycle_news.diagnostics.results import (
    CheckResult,
    Record,
    Report,
    State,
)
from upcycle_news.diagnostics.runner import known_checks
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.mail.dkim import generate

from ..processes import free_port
from ..publications import (
    Publication,
    approve_issue,
    relay_variables,
    send_issue,
)
from ..transports.bad_relays import MisbehavingRelay
from ..web.web_server import running_server
from .nameserver import NameServer

ROOT = Path(__file__).parents[2]
SECRET = "Geheim-4711"


def said(text: str) -> LocalizedText:
    return localized("untranslated", text=text)


PROBLEM = CheckResult(
    "spf", State.PROBLEM, said("nothing | there"), said("mail is refused"), said("publish it"), "example.org",
    (Record("example.org", "TXT", "v=spf1 " + "ip4:192.0.2.1 " * 30 + "-all"),),
)  # fmt: skip


def all_files(home: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()
    }


def test_a_new_publication_is_checked_and_not_changed(tmp_path: Path, monkeypatch) -> None:
    from upcycle_news.scaffold.layout import init_publication

    from ..delivery.memory_ledger import Clock

    home = tmp_path / "neu"
    init_publication(home, name="Neu", today=Clock()().date())
    monkeypatch.chdir(home)
    before = all_files(home)
    with Publication(home, Clock()) as publication:
        done = publication.run("doctor", "--offline", "--json")
    assert done.json["healthy"]
    assert all_files(home) == before
    states = {
        line["check"]: line["state"] for group in done.json["groups"].values() for line in group
    }
    assert "leaving" not in states
    assert states["relay"] == states["dns"] == states["one-click"] == states["prefect"] == "skipped"
    assert states["store"] == states["backup"] == states["secrets"] == "skipped"
    assert not (home / "var").exists()


def test_a_healthy_publication_has_no_problem(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relay, DNS with our own key, the real web pages: all of it on loopback."""
    publication.write_essay()
    publication.add_many_subscribers(1)
    approve_issue(publication.context())
    key, port = generate("ed25519"), free_port()
    domain = "umbaupost.example.net"
    zone = {
        (domain, "MX"): [f"10 {domain}."],
        (domain, "A"): ["192.0.2.7"],
        (domain, "TXT"): ['"v=spf1 ip4:192.0.2.7 -all"'],
        (f"_dmarc.{domain}", "TXT"): ['"v=DMARC1; p=quarantine"'],
        (f"news._domainkey.{domain}", "TXT"): [f'"{key.record}"'],
        ("7.2.0.192.in-addr.arpa", "PTR"): [f"{domain}."],
    }
    # This test uses the sample domains of RFC 2606 as if they were real.
    monkeypatch.setattr("upcycle_news.diagnostics.probes.is_sample_host", lambda address: False)
    url = f"http://127.0.0.1:{port}"
    with MisbehavingRelay() as day, NameServer(zone) as dns:
        environment = {
            **relay_variables(day.controller.port),
            "PUBLICATION__PUBLIC_URL": url,
            "DKIM__ED25519_SELECTOR": "news",
            "DKIM__ED25519_KEY": key.pem,
            "DOCTOR__RESOLVER": dns.address,
            "DOCTOR__OUTGOING_IPS": '["192.0.2.7"]',
        }
        with running_server(publication.context(PUBLICATION__PUBLIC_URL=url), port):
            done = publication.run("doctor", "--json", **environment)
        assert day.accepted == []
    states = {
        line["check"]: line["state"] for group in done.json["groups"].values() for line in group
    }
    assert done.json["counts"]["problem"] == 0
    wanted = (
        *("relay", "relay-tls", "relay-size", "spf", "dkim", "dmarc", "mx", "ptr", "leaving"),
        *("one-click", "store", "store-version", "store-check", "secrets", "issue-size", "content"),
    )
    assert {check: states[check] for check in wanted} == dict.fromkeys(wanted, "ok")


def test_a_problem_is_exit_code_one_and_printed_with_its_fix(publication: Publication) -> None:
    done = publication.run("doctor", "relay", code=1, **relay_variables(9))
    assert "Problem  Das Relay 127.0.0.1:9 ist nicht erreichbar" in done.out
    assert "heißt: Es geht keine Mail hinaus" in done.out
    assert "tun:   Prüfen Sie host und port, oder starten Sie es" in done.out
    assert done.out.endswith("1 Problem\n")
    english = publication.run(
        "doctor", "relay", code=1, **relay_variables(9), PUBLICATION__LANGUAGE="en"
    ).out
    assert "problem  the relay 127.0.0.1:9 cannot be reached, nothing listens there" in english
    assert "means: no mail leaves" in english
    assert "cure:  check host and port, or start it" in english


def test_single_checks_can_be_asked_for(publication: Publication) -> None:
    done = publication.run("doctor", "disk", "store-version", "--json")
    assert {
        name: [line["check"] for line in group] for name, group in done.json["groups"].items()
    } == {"machine": ["disk"], "store": ["store-version"]}
    refused = publication.run("doctor", "weather", code=2)
    assert "„weather“ ist keine Prüfung" in refused.err
    assert "dmarc" in refused.err


@pytest.mark.parametrize("as_json", [True, False])
def test_unreadable_settings_are_a_problem_too(publication: Publication, as_json: bool) -> None:
    (publication.home / "newsletter.toml").write_text("[publication]\nnmae = 'x'\n")
    done = publication.run("doctor", *(["--json"] if as_json else []), code=1)
    wanted = (
        "unknown setting 'publication.nmae'"
        if as_json
        else "„publication.nmae“ ist keine Einstellung"
    )
    assert f"newsletter.toml:2: {wanted}" in done.out


def test_a_broken_relay_table_or_prefect_yaml_hides_no_other_check(
    publication: Publication,
) -> None:
    (publication.home / "prefect.yaml").write_text("deployments: 3")
    done = publication.run(
        "doctor", "--offline", "--json", code=1, RELAYS__SECOND__HOST="x.example"
    )
    states = {line["check"]: line for group in done.json["groups"].values() for line in group}
    assert "relays.main" in states["relay"]["found"]
    assert "prefect.yaml" in states["timezone"]["found"]
    assert states["store"]["state"] == states["disk"]["state"] == "ok"


def test_a_missing_key_is_a_problem_and_none_is_created(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    send_issue(publication.context())
    [key] = (publication.home / "var/secrets").glob("token-*.key")
    key.unlink()
    done = publication.run("doctor", "--offline", "--json", code=1)
    [line] = [entry for entry in done.json["groups"]["machine"] if entry["check"] == "secrets"]
    assert "no unsubscribe link" in line["meaning"]
    assert not key.exists()


def test_offline_connects_to_no_other_machine(publication: Publication) -> None:
    """tests/conftest.py fails whatever connects elsewhere."""
    publication.change_setting(
        'address = "post@umbaupost.example.net"', 'address = "post@umbau.de"'
    )
    publication.change_setting("https://umbaupost.example.net", "https://umbau.de")
    done = publication.run("doctor", "--offline", "--json", RELAYS__MAIN__HOST="smtp.umbau.de")
    states = {
        line["check"]: line["found"] for group in done.json["groups"].values() for line in group
    }
    assert "--offline" in states["relay"]
    assert "--offline" in states["dns"]
    assert "--offline" in states["one-click"]


def test_without_a_page_about_privacy_an_address_of_ones_own_is_a_problem(
    publication: Publication,
) -> None:
    def privacy(*more: str, code: int) -> tuple[str, str]:
        done = publication.run("doctor", "privacy", "--offline", "--json", *more, code=code)
        [result] = (line for group in done.json["groups"].values() for line in group)
        return result["state"], result["found"]

    assert privacy(code=0)[0] == "ok"
    publication.change_setting('privacy_url = "https://verein.example.net/datenschutz"', "")
    assert privacy(code=0)[0] == "skipped"  # nobody can sign up at a sample's address
    publication.change_setting("https://umbaupost.example.net", "https://umbau.de")
    assert privacy(code=1) == ("problem", "the form for signing up leads to no page about privacy")


def test_the_output_contains_no_secret_and_no_address(publication: Publication) -> None:
    publication.add_many_subscribers(2)
    publication.write_essay()
    with MisbehavingRelay(password="right") as day:
        environment = {
            **relay_variables(day.controller.port),
            "RELAYS__MAIN__USERNAME": "news@example.org",
            "RELAYS__MAIN__PASSWORD": SECRET,
        }
        done = publication.run("doctor", "--offline", code=1, **environment)
    assert SECRET not in done.output
    assert "@example.org" not in done.output


# --- formatting


def test_a_dns_record_is_one_line_that_can_be_copied() -> None:
    shown = list(report_lines(Report((("dns", (PROBLEM,)),)), 60, lambda text, state: text))
    [record] = [line for line in shown if " IN TXT " in line]
    value = PROBLEM.records[0].value
    assert re.findall(r'"([^"]*)"', record) == [value[:255], value[255:]]
    assert all(len(line) <= 60 for line in shown if line != record)


def test_the_markdown_table_stays_a_table() -> None:
    table = markdown(Report((("dns", (PROBLEM, CheckResult("mx", State.OK, said("fine")))),)))
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert r"nothing \| there" in rows[2]


def test_the_documentation_lists_exactly_the_existing_checks() -> None:
    text = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"(?m)^\| `([a-z-]+)` \|", text))
    checks = {check for _, names in PROBES.values() for check in names}
    assert explained == checks
    assert set(known_checks()) == checks | set(PROBES)


def test_every_result_in_the_code_belongs_to_a_known_check() -> None:
    factories = re.compile(r"\b(?:ok|warning|problem|skipped|make|expiring)\(\s*\"([a-z-]+)\"")
    checks = {
        check
        for path in (ROOT / "src/upcycle_news/diagnostics").rglob("*.py")
        for check in factories.findall(path.read_text(encoding="utf-8"))
    }
    assert len(checks) > 25
    assert checks <= set(known_checks())
