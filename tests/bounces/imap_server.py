"""As much of an IMAP server (RFC 3501, RFC 6851) as reading and moving mail needs."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Account:
    """Folders with mails by UID, those with a keyword, those read, and every command that was said.

    Without `keywords` it refuses to keep them; it hangs up when it hears a command that begins with
    `hangs_up_at`.
    """

    folders: dict[str, dict[int, bytes]]
    keywords: bool = True
    hangs_up_at: str = "-"
    marked: dict[int, str] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    said: list[str] = field(default_factory=list)
    port: int = 0


def has_subject(mail: bytes, word: str) -> bool:
    lines = mail.partition(b"\r\n\r\n")[0].splitlines()
    return any(line.lower().startswith(b"subject:") and word.encode() in line for line in lines)


@contextmanager
def imap_server(account: Account) -> Iterator[Account]:
    class Session(socketserver.StreamRequestHandler):
        folder = "INBOX"

        def reply(self, line: str | bytes) -> None:
            self.wfile.write((line if isinstance(line, bytes) else line.encode()) + b"\r\n")

        def handle(self) -> None:
            self.reply("* OK ready")
            while line := self.rfile.readline().decode().strip():
                tag, _, command = line.partition(" ")
                account.said.append(re.sub(r"LOGIN .*", "LOGIN", command))
                if self.answer(command, tag):
                    return

        def answer(self, command: str, tag: str) -> bool:
            mails = account.folders[self.folder]
            word = command.upper()
            if word.startswith(account.hangs_up_at):
                return True
            if word.startswith("CAPABILITY"):
                self.reply("* CAPABILITY IMAP4rev1 MOVE")
            elif word.startswith("LOGIN") and '"geheim"' not in command:
                self.reply(f"{tag} NO wrong password")
                return False
            elif word.startswith("SELECT"):
                self.reply(f"* {len(mails)} EXISTS")
                self.reply("* OK [UIDVALIDITY 1]")
            elif word.startswith("UID SEARCH"):
                wanted = re.search(r"UID (\d+)", command.partition("SEARCH")[2])
                unmarked = re.search(r"UNKEYWORD (\S+)", command)
                subject = re.search(r'SUBJECT "(\w+)"', command)
                found = [
                    number
                    for number in sorted(mails)
                    if (wanted is None or number == int(wanted[1]))
                    and (unmarked is None or account.marked.get(number) != unmarked[1])
                    and (subject is None or has_subject(mails[number], subject[1]))
                ]
                self.reply("* SEARCH " + " ".join(map(str, found)))
            elif word.startswith("UID FETCH") and word.endswith("(FLAGS)"):
                number = int(command.split()[2])
                flags = r"\Seen" if number in account.seen else ""
                self.reply(f"* 1 FETCH (UID {number} FLAGS ({flags}))")
            elif word.startswith("UID FETCH"):
                number, part = int(command.split()[2]), re.search(r"<0\.(\d+)>", command)
                text = mails[number][: int(part[1])] if part else mails[number]
                place = "BODY[]<0>" if part else "BODY[]"
                head = f"* 1 FETCH (UID {number} FLAGS () {place} {{{len(text)}}}"
                self.reply(head.encode() + b"\r\n" + text + b")")
            elif word.startswith("LIST"):
                for name in account.folders:
                    if name in command:
                        self.reply(f'* LIST () "/" "{name}"')
            elif word.startswith("CREATE"):
                account.folders[command.split()[1].strip('"')] = {}
            elif word.startswith(("UID MOVE", "UID COPY")):
                number, target = int(command.split()[2]), command.split()[3].strip('"')
                account.folders[target][number] = mails[number]
                if word.startswith("UID MOVE"):
                    del mails[number]
            elif word.startswith("UID STORE"):
                assert "DELETED" not in word
                if not account.keywords:
                    self.reply(f"{tag} NO no such flag")
                    return False
                account.marked[int(command.split()[2])] = command.rpartition("(")[2].strip(")")
            elif word.startswith("LOGOUT"):
                self.reply("* BYE")
            self.reply(f"{tag} OK done")
            return word.startswith("LOGOUT")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.daemon_threads = True
        account.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield account
        finally:
            server.shutdown()
