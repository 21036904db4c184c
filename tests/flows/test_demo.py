"""The demo command beside a publication with real subscribers."""

from __future__ import annotations

import pytest

from ..publications import Publication

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.xdist_group("prefect")]


def test_the_demo_mails_no_real_subscriber(
    publication: Publication, empty_prefect_database: bytes
) -> None:
    of_demo = publication.home / "var/demo/prefect"
    of_demo.mkdir(parents=True)
    (of_demo / "prefect.db").write_bytes(
        empty_prefect_database
    )  # to make it takes half of the demo
    publication.write_essay()
    publication.add_many_subscribers(2)
    path = publication.home / "newsletter.toml"
    real = f"sqlite:///{publication.home}/var/upcycle.db"
    path.write_text(f'store = "{real}"\n' + path.read_text())
    demo = publication.start("demo")
    out, err = demo.communicate(timeout=280)
    assert demo.returncode == 0, out + err
    assert "Was vom Bahnhof bleibt" in out
    assert "all deliveries are accounted for" in out
    assert "Traceback" not in out + err
    mails = list((publication.home / "var/demo/mailbox/new").iterdir())
    assert len(mails) >= 5
    assert not any(b"reader1@example.org" in mail.read_bytes() for mail in mails)
    assert publication.mails() == []
    assert "Es gibt noch keine Ausgabe" in publication.run("issue", "status", code=1).err
    assert len(publication.run("subscribers", "export").out.splitlines()) == 3
