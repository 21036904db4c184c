"""The inbox on a real IMAP server, Dovecot, over TLS and STARTTLS, with mail that is no mail."""

from __future__ import annotations

import getpass
import grp
import imaplib
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.services.bounces import process as process_service

from ..processes import free_port
from ..publications import Publication, add_confirmed_subscribers, send_issue
from ..transports.bad_relays import certificate
from ..waiting import wait_until
from . import sample_reports

PROGRAM = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
REQUIRED = os.environ.get("UPCYCLE_REQUIRE_TOOLS") == "1"
CONFIGURATION = """\
base_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {starttls}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
passdb {{
  driver = static
  args = password=geheim
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
"""
ODD = {
    "letters beyond ASCII, in no charset": b"From: J\xfcrgen <a@example.org>\r\n\r\ntext \xff\xfe\r\n",
    "a report without parts": b"Content-Type: multipart/report; "
    b'report-type=delivery-status; boundary="x"\r\n\r\nnothing here\r\n',
    "a charset that is none": b"Content-Type: text/plain; charset=no-such\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n!!!!\r\n",
    "an encoded multipart": b"Content-Type: multipart/mixed; boundary=a\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n--a\r\n\r\nx\r\n--a--\r\n",
    "no body": b"Subject: x",
    "encoded words that are none": b"Subject: =?utf-8?b?////?=\r\nFrom: =?x?q?=ff?= <>\r\n\r\n",
    "a line without end": b"Subject: " + b"a" * 200_000 + b"\r\n\r\nx\r\n",
}


@dataclass(frozen=True)
class Server:
    """Its ports by their security, and the certificate to trust."""

    ports: dict[str, int]
    trust: Path


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Server]:
    if PROGRAM is None:
        if REQUIRED:
            pytest.fail("dovecot is missing (apt-get install dovecot-imapd)")
        pytest.skip("dovecot is not installed (apt-get install dovecot-imapd)")
    told = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    if not told.stdout.startswith("2.3."):
        pytest.skip("its configuration is written for Dovecot 2.3")
    # Not pytest's folder: its sockets need short paths, and the server's user has to get there.
    with tempfile.TemporaryDirectory(prefix="dovecot-") as name:
        folder = Path(name)
        user, group = (
            ("nobody", "nogroup")
            if os.getuid() == 0
            else (getpass.getuser(), grp.getgrgid(os.getgid()).gr_name)
        )
        (folder / "mail").mkdir()
        if os.getuid() == 0:  # Dovecot never reads mail as root
            folder.chmod(0o711)
            shutil.chown(folder / "mail", user, group)
        trust, key = certificate(folder, "localhost")
        server = Server({"tls": free_port(), "starttls": free_port()}, trust)
        config = folder / "dovecot.conf"
        config.write_text(
            CONFIGURATION.format(
                folder=folder, certificate=trust, key=key, user=user, group=group, **server.ports
            )
        )
        process = subprocess.Popen([PROGRAM, "-F", "-c", str(config)])
        try:
            log = folder / "log"
            wait_until(
                lambda: log.exists() and "starting up" in log.read_text(),
                "Dovecot did not start", interval=0.05,
            )  # fmt: skip
            yield server
        finally:
            process.terminate()
            process.wait(60)


def fill(server: Server, user: str, mails: list[bytes]) -> imaplib.IMAP4_SSL:
    tls = ssl.create_default_context(cafile=str(server.trust))
    client = imaplib.IMAP4_SSL("localhost", server.ports["tls"], ssl_context=tls, timeout=60)
    client.login(user, "geheim")
    for mail in mails:
        assert client.append("INBOX", "", "", mail)[0] == "OK"
    return client


def lying(client: imaplib.IMAP4_SSL, folder: str, which: str = "ALL") -> int:
    assert client.select(folder, readonly=True)[0] == "OK"
    return len(client.search(None, which)[1][0].split())


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_real_server_is_read_once_and_without_a_trace(
    security: str, dovecot: Server, publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.trust))
    context = publication.context(SENDER__VERP="true")
    add_confirmed_subscribers(context, "anna@example.org")
    publication.write_essay()
    assert send_issue(context).closed
    assert context.bounce_addresses is not None
    report = sample_reports.gmail(context.bounce_addresses.address_for(1, 1), "anna@example.org")
    mails = [*ODD.values(), report.replace(b"\n", b"\r\n")]
    client = fill(dovecot, security, mails)
    mine: AppContext = publication.context(
        SENDER__VERP="true", INBOX__HOST="localhost", INBOX__SECURITY=security,
        INBOX__PORT=str(dovecot.ports[security]), INBOX__USERNAME=security,
        INBOX__PASSWORD="geheim",
    )  # fmt: skip
    told = process_service.collect(mine)
    assert (told.hard, told.left_alone) == (1, len(ODD))
    assert lying(client, "INBOX") == len(ODD)
    assert lying(client, "INBOX", "SEEN") == 0
    assert lying(client, "processed") == 1
    assert process_service.collect(mine) == process_service.Collected()
    assert lying(client, "INBOX") == len(ODD)
    client.logout()
