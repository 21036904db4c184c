"""A real Postfix of its own on loopback: STARTTLS, login through Dovecot, mailboxes, real bounces.

Debian's programs with configuration, queue and mailboxes below one temporary folder. Delays and limits
for clients that make errors are Postfix's defaults. It starts and runs as root only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .processes import free_port
from .transports.bad_relays import certificate
from .waiting import wait_until

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
POSTFIX, DOVECOT = (shutil.which(name, path=_PATH) for name in ("postfix", "dovecot"))
PASSWORD = "geheim"
BOUNCES = "bounces@post.example"
SOFT_ERROR_LIMIT = 10  # postconf(5): smtpd_soft_error_limit; the reply after so many errors waits
_OWNER = 65534  # nobody: virtual(8) delivers to no mailbox of root's

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = relay.post.example
mydestination =
mynetworks =
alias_maps =
default_transport = error:5.1.2 nothing leaves this machine
local_transport = error:5.1.1 no such mailbox
smtpd_peername_lookup = no
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_chain_files = {folder}/chain.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
recipient_delimiter = +
virtual_mailbox_domains = texthash:{folder}/domains
virtual_mailbox_maps = texthash:{folder}/mailboxes
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:{owner}
virtual_gid_maps = static:{owner}
"""
_MASTER = """\
127.0.0.1:{asks} inet n - n - - smtpd
127.0.0.1:{accepts} inet n - n - - smtpd
  -o smtpd_reject_unlisted_recipient=no
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_DOVECOT = """\
base_dir = {folder}/run
log_path = {folder}/auth.log
protocols =
first_valid_uid = 1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
service anvil {{
  chroot =
}}
service auth {{
  unix_listener {folder}/queue/private/auth {{
    mode = 0666
  }}
}}
ssl = no
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail
}}
"""


@dataclass
class SmtpSession:
    """One session as Postfix logged it. `errors` are refused commands; `most` of them in a row.

    `ended` is True when Postfix ended it because of its errors.
    """

    errors: int = 0
    most: int = 0
    ended: bool = False
    _in_a_row: int = 0

    def refuse(self, errors: int) -> None:
        self._in_a_row += errors
        self.most = max(self.most, self._in_a_row)

    def accept(self) -> None:
        self._in_a_row = 0  # smtpd counts errors anew once a message was accepted


@dataclass
class PostfixRelay:
    """The running relay. At port `asks` a dead address is refused at RCPT, at `accepts` it bounces."""

    folder: Path
    asks: int
    accepts: int
    trust: Path
    _read: int = field(default=0)

    def settings(self, port: int, **more: str) -> dict[str, str]:
        """Return the variables (without prefix) with which a publication uses it."""
        return {
            "RELAYS__MAIN__HOST": "localhost",
            "RELAYS__MAIN__PORT": str(port),
            "RELAYS__MAIN__SECURITY": "starttls",
            "RELAYS__MAIN__USERNAME": "post",
            "RELAYS__MAIN__PASSWORD": PASSWORD,
            "RELAYS__MAIN__CONNECTIONS": "4",
        } | more

    # --- starting and stopping

    def command(self, verb: str) -> str:
        """Run `postfix VERB`; return what it said when it failed, else nothing."""
        assert POSTFIX is not None
        done = subprocess.run(
            [POSTFIX, "-c", str(self.folder / "etc"), verb],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return f"postfix {verb}: {done.returncode}: {done.stdout}" if done.returncode else ""

    def start(self) -> None:
        """Start it. One that was just stopped may hold its lock and ports for a moment."""
        said = ""

        def started() -> bool:
            nonlocal said
            said = self.command("start")
            return not said

        failure = lambda: f"Postfix did not start: {said}\n{self._log()}"  # noqa: E731
        wait_until(started, failure, interval=0.5)

    def stop(self) -> None:
        said = self.command("stop")
        assert not said, said

    # --- what it did

    def _log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def new_log(self) -> list[str]:
        """Return the lines logged since the last call, once every session has ended."""
        wait_until(self._all_sessions_ended, "a session goes on", seconds=60)
        text = self._log()
        text, self._read = text[self._read :], len(text)
        return text.splitlines()

    def _all_sessions_ended(self) -> bool:
        text = self._log()
        return text.count(": connect from") == text.count(": disconnect from")

    def mails(self, mailbox: str) -> list[bytes]:
        """Return the mails of a mailbox, `readers` (of all that exist) or `bounces`."""
        return [path.read_bytes() for path in (self.folder / "mail" / mailbox / "new").glob("*")]

    def recipients(self) -> Counter[str]:
        """Return how many mails were handed over for each reader, by address.

        Postfix may deliver one again that was on its way to the mailbox when it was stopped; it has the same
        queue id then.
        """
        to = re.compile(rb"^Delivered-To: (.+)$", re.MULTILINE)
        taken = re.compile(
            rb"^Received: [^\n]*(?:\n[ \t][^\n]*)*?\bid ([0-9A-F]{6,})\b", re.MULTILINE
        )
        pairs = {
            (address[1].decode().strip(), queue_id[1])
            for mail in self.mails("readers")
            if (address := to.search(mail)) and (queue_id := taken.search(mail))
        }
        return Counter(address for address, _ in pairs)

    def is_idle(self) -> bool:
        """Return whether the queue is empty: everything was delivered, or has bounced."""
        queue = self.folder / "queue"
        return not any(
            path.is_file()
            for name in ("maildrop", "incoming", "active", "deferred")
            for path in (queue / name).rglob("*")
        )


def sessions_in(lines: Sequence[str]) -> list[SmtpSession]:
    """Return the sessions in a log, oldest first.

    A pipelined refusal at RCPT is two errors: DATA is refused as well, which Postfix logs only in
    the sum at the end of the session (``rcpt=3/5 data=3/5``).
    """
    open_sessions: dict[str, SmtpSession] = {}
    sessions: list[SmtpSession] = []
    for line in lines:
        match = re.search(r"smtpd\[(\d+)\]: (.*)", line)
        if match is None:
            continue
        process, what = match.groups()
        if what.startswith("connect from"):
            open_sessions[process] = SmtpSession()
            sessions.append(open_sessions[process])
        elif (session := open_sessions.get(process)) is None:
            continue
        elif "reject: RCPT" in what:
            session.refuse(2)
        elif re.match(r"[0-9A-Za-z]+: client=", what):
            session.accept()
        elif "too many errors" in what:
            session.ended = True
        elif what.startswith("disconnect from"):
            counts = re.findall(r"(\w+)=(\d+)(?:/(\d+))?", what)
            session.errors = sum(
                int(total or good) - int(good) for name, good, total in counts if name != "commands"
            )
            del open_sessions[process]
    return sessions


@contextmanager
def postfix_relay(
    readers: Sequence[str], *, more_domains: Sequence[str] = ()
) -> Iterator[PostfixRelay]:
    """Run a relay that has a mailbox for each of `readers`, and one for our bounces.

    It knows their domains and `more_domains`: in those every other address is dead.
    """
    # Not pytest's folder: its sockets need short paths, and other users have to get there.
    with tempfile.TemporaryDirectory(prefix="postfix-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("etc", "queue", "data", "mail"):
            (folder / part).mkdir()
        shutil.chown(folder / "data", "postfix")
        shutil.chown(folder / "mail", _OWNER, _OWNER)
        trust, key = certificate(folder, "localhost")
        (folder / "chain.pem").write_bytes(key.read_bytes() + trust.read_bytes())
        (folder / "chain.pem").chmod(0o600)
        domains = {address.rpartition("@")[2] for address in [*readers, BOUNCES]}
        domains |= set(more_domains)
        (folder / "domains").write_text("".join(f"{domain} ok\n" for domain in sorted(domains)))
        plain = {re.sub(r"\+[^@]*", "", address) for address in readers}
        boxes = [f"{BOUNCES} bounces/", *(f"{address} readers/" for address in sorted(plain))]
        (folder / "mailboxes").write_text("\n".join(boxes) + "\n")
        relay = PostfixRelay(folder, free_port(), free_port(), trust)
        (folder / "etc/main.cf").write_text(_MAIN.format(folder=folder, owner=_OWNER))
        ports = {"asks": relay.asks, "accepts": relay.accepts}
        (folder / "etc/master.cf").write_text(_MASTER.format(**ports))
        (folder / "dovecot.conf").write_text(_DOVECOT.format(folder=folder, password=PASSWORD))
        relay.start()
        assert DOVECOT is not None
        login = subprocess.Popen([DOVECOT, "-F", "-c", str(folder / "dovecot.conf")])
        try:
            socket = folder / "queue/private/auth"
            wait_until(socket.exists, "Dovecot did not start", interval=0.05)
            yield relay
        finally:
            login.terminate()
            login.wait(60)
            relay.stop()
