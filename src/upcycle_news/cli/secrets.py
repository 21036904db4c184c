"""`upcycle-news secrets`: list, rotate and drop the keys that sign links."""

from __future__ import annotations

from typing import Annotated

import typer

from upcycle_news.cli.output import (
    JsonOption,
    note,
    open_context,
    print_json,
)
from upcycle_news.errors import UpcycleError
from upcycle_news.observability.logging import Log
from upcycle_news.storage.metrics import issue_queues
from upcycle_news.subscribers.signing_keys import add_key, drop_key, key_created_at


def list_keys(as_json: JsonOption = False) -> None:
    """List the token keys by number, without the keys themselves; the last one signs.

    Example: upcycle-news secrets list
    """
    with open_context() as context:
        for number in sorted(keys := context.link_signer.keys):
            signs = number == max(keys)
            at = key_created_at(context.secrets_folder, number)
            if as_json:
                print_json({"key": number, "made_at": at.isoformat(), "signs": signs})
            else:
                does = "signs and reads" if signs else "reads the links it signed"
                typer.echo(f"token key {number}: made {at:%Y-%m-%d %H:%M} UTC, {does}")


def rotate() -> None:
    """Make a new token key, which signs all links from now on; links in old mails keep working.

    Example: upcycle-news secrets rotate
    """
    with open_context() as context:
        number = add_key(context.secrets_folder)
        Log(__name__).warning("token key created", key=number)
        typer.echo(f"token key {number} signs from now on")
        note(
            "make a backup now, and copy the secrets folder to every machine that serves pages "
            "before the next issue goes out"
        )


def drop(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As 'secrets list' names it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a token key that leaked: every link it signed ends at once, unsubscribe links too.

    Who still has only such a mail leaves by answering it, or with the next issue.

    Example: upcycle-news secrets drop 1
    """
    with open_context() as context:
        going = [queue.issue for queue in issue_queues(context.store) if queue.is_waiting]
        if going:
            raise UpcycleError(
                f"issue {going[0]} is being sent, and its Message-IDs may hang on this key: let it "
                f"end, or 'upcycle-news issue cancel {going[0]}', then drop the key"
            )
        if not yes:
            typer.confirm(
                f"End every link that key {number} signed, in mails that were sent too?", abort=True
            )
        drop_key(context.secrets_folder, number)
        Log(__name__).warning("token key dropped", key=number)
        typer.echo(f"token key {number} is gone, and its links with it")
        note("backups made before still hold it: a restore brings it back; drop it again then")
