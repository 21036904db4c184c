"""Delivery over STARTTLS and a login into a real Postfix that discards, beside smtp-source without TLS.

    .venv/bin/python bench/tls.py [--readers 5000] [--connections 8] [--rounds 1]

Needs Debian's postfix and dovecot-imapd, and root. Both senders meet the same Postfix, which takes 60 kB
and throws them away, one after the other; compare ratios within one run only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.postfix_relay import PASSWORD, PostfixRelay, postfix_relay
from tests.processes import free_port

from delivery import SIZE, Used, measured, ours

_DISCARDING = """\
127.0.0.1:{login} inet n - n - - smtpd
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
  -o smtpd_data_restrictions=check_client_access,static:discard
127.0.0.1:{plain} inet n - n - - smtpd
  -o smtpd_tls_security_level=none
  -o smtpd_relay_restrictions=permit_mynetworks,reject
  -o mynetworks=127.0.0.0/8
  -o smtpd_data_restrictions=check_client_access,static:discard
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=5000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    readers = [f"reader{number}@example.org" for number in range(options.readers)]
    with postfix_relay(readers) as relay:
        login, plain = free_port(), free_port()
        with (relay.folder / "etc/master.cf").open("a", encoding="utf-8") as file:
            file.write(_DISCARDING.format(login=login, plain=plain))
        with (relay.folder / "etc/main.cf").open("a", encoding="utf-8") as file:
            file.write("in_flow_delay = 0\n")  # else each mail waits a second for the queue manager
        relay.command("reload")
        for _ in range(options.rounds):
            compare(relay, login, plain, options.readers, options.connections)
    return 0


def compare(relay: PostfixRelay, login: int, plain: int, count: int, connections: int) -> None:
    """Print what both senders did, and the ratio."""

    def smtp_source(port: int, count: int, connections: int, profile: bool) -> None:
        command = ["smtp-source", "-d", "-s", str(connections), "-m", str(count), "-l", str(SIZE)]
        command += ["-f", "a@example.org", "-t", "reader1@example.org", f"127.0.0.1:{port}"]
        subprocess.run(command, check=True)

    def with_login(port: int, count: int, connections: int, profile: bool) -> Used:
        settings = relay.settings(port, RELAYS__MAIN__CONNECTIONS=str(connections))
        variables = {f"UPCYCLE_NEWS_{name}": value for name, value in settings.items()}
        variables["SSL_CERT_FILE"] = str(relay.trust)
        variables["UPCYCLE_NEWS_RELAYS__MAIN__PASSWORD"] = PASSWORD
        return ours(port, count, connections, profile, **variables)

    rates = {}
    for name, send, port in (
        ("smtp-source", smtp_source, plain),
        ("upcycle-news, TLS and login", with_login, login),
    ):
        used = measured(send, port, count, connections, False)
        rates[name] = count / used.seconds
        print(f"{name:28} {rates[name]:8.0f}/s, {1000 * used.cpu / count:.2f} s of CPU for 1,000")
    source, own = rates.values()
    print(f"upcycle-news over TLS : smtp-source without = {own / source:.2f}")


if __name__ == "__main__":
    raise SystemExit(main())
