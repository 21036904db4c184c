"""The tree of commands: each with its function and the sentence that help lists show.

A command's module is imported when the command is used (lazy.py), so that `--help` and the Tab key
stay quick while the modules import at their top whatever they need.
"""

from __future__ import annotations

from typing import Annotated

import typer

from upcycle_news.cli.lazy import LazyCommand, SectionedGroup, lazy_group
from upcycle_news.version import __version__

ESSAY = {
    "new": ("essay:new", "Make the file of a new essay as a draft, and print its path."),
    "import": ("essay:import_", "Turn manuscripts into essays in Markdown, and print their paths."),
    "collect": (
        "essay:collect",
        "Turn new posts of your own site into drafts, each once; changes are shown as a diff.",
    ),
    "take": (
        "essay:take",
        "Take drafts of collected posts into content/essays, with their pictures.",
    ),
    "list": (
        "essay:list_",
        "List the essays: draft, ready, planned or published, and for or in which issue.",
    ),
}
FEEDS = {
    "collect": (
        "feeds:collect",
        "Ask all active feeds for news; a feed that fails is reported and stops nothing.",
    ),
    "health": ("feeds:health", "Show each feed's last success and what is wrong with it."),
    "show": (
        "feeds:show",
        "Print what the program makes of feeds, from files or addresses; nothing is remembered.",
    ),
    "discover": (
        "feeds:discover",
        "Find the feeds of a web page: those it announces, else the usual places.",
    ),
    "add": ("feeds:add", "Read a feed and add it to feeds.toml."),
    "import": (
        "feeds:import_",
        "Add the feeds of an OPML file to feeds.toml; those that are there already are left alone.",
    ),
    "export": ("feeds:export", "Print the list of feeds as OPML, which other programs can import."),
}
ISSUE = {
    "new": (
        "issue.new:new",
        "Begin the file of an issue, content/issues/ISSUE.md, and print its path.",
    ),
    "preview": (
        "issue.preview:preview",
        "Compose and render an issue; files lie under var/issues/ISSUE/.",
    ),
    "correct": (
        "issue.correct:correct",
        "Compose a correction of an issue and render it; files lie under var/issues/ISSUE-c1/.",
    ),
    "digest": (
        "issue.digest:digest",
        "Compose the digest that is due and render it; files lie under var/issues/ISSUE/.",
    ),
    "status": (
        "issue.status:status",
        "Count an issue's deliveries by state, or list those in one state (with addresses).",
    ),
    "approve": (
        "issue.approve:approve",
        "Approve the revision that was previewed last; any change afterwards needs a new approval.",
    ),
    "reject": (
        "issue.approve:reject",
        "Reject the revision that was previewed last; a run of Prefect that waits for it ends.",
    ),
    "show": (
        "issue.approve:show",
        "Show what an editor is asked to approve: content, what changed, findings, who waits.",
    ),
    "explain": (
        "issue.explain:explain",
        "Show every candidate with its score, the words it shares, and why it is in or out.",
    ),
    "diff": (
        "issue.diff:diff",
        "Show what changed since the last preview: texts, subject, essays and items, pictures, look.",
    ),
    "plan": (
        "issue.plan:plan",
        "Show what the next issues would contain, when they are made, and what stands against it.",
    ),
    "send": (
        "issue.send:send",
        "Send an issue to all its subscribers; goes on where it stopped.",
    ),
    "resume": ("issue.send:resume", "Go on with an issue that was paused, stopped or interrupted."),
    "pause": (
        "issue.send:pause",
        "Pause an issue until it is resumed; running workers stop by themselves.",
    ),
    "cancel": ("issue.send:cancel", "End an issue: who has not got it yet will not get it."),
    "resend": (
        "issue.send:resend",
        "Send again what may or may not have arrived; a second copy has the same Message-ID.",
    ),
}
ARCHIVE = {
    "build": (
        "archive:build",
        "Build the archive: a static site of all issues and essays, with feed and site map.",
    ),
    "correct": (
        "archive:correct",
        "Show an essay as its corrected file says it now, with a dated note above it.",
    ),
    "withdraw": (
        "archive:withdraw",
        "Take an essay or an issue out of the archive, pictures and feed included.",
    ),
}
SUBSCRIBERS = {
    "add": ("subscribers.manage:add", "Add one subscriber whose consent is documented."),
    "import": (
        "subscribers.manage:import_",
        "Import a list of subscribers who consented; reports every line that was skipped.",
    ),
    "list": ("subscribers.manage:list_", "List the subscribers, oldest first."),
    "find": (
        "subscribers.manage:find",
        "Find subscribers by a part of their address or name; exit code 1 if there is none.",
    ),
    "export": (
        "subscribers.manage:export",
        "Write all subscribers as CSV, in the form that import reads.",
    ),
    "show": (
        "subscribers.manage:show",
        "Show everything that is stored about one subscriber, or the proof left of one who was forgotten.",
    ),
    "unsubscribe": (
        "subscribers.manage:unsubscribe",
        "Unsubscribe an address at once; only its owner can subscribe again.",
    ),
    "forget": (
        "subscribers.data:forget",
        "Erase a subscriber; only a keyed hash stays, so that no list brings them back.",
    ),
    "stats": (
        "subscribers.data:stats",
        "Count subscribers, suppressions, and what each issue did to the list.",
    ),
    "links": (
        "subscribers.data:links",
        "Write each subscriber's own links as CSV, or with --leave unsubscribe those who used theirs.",
    ),
    "snippet": (
        "subscribers.data:snippet",
        "Print the sign-up form as HTML for another site; it works without JavaScript, too.",
    ),
    "tidy": (
        "subscribers.data:tidy",
        "Delete unconfirmed sign-ups, old reports and who left long ago; send confirmations, pack deliveries.",
    ),
    "suppress": (
        "subscribers.suppressions:suppress",
        "Never write to an address or a whole domain again, nor to those another system suppressed.",
    ),
    "unsuppress": (
        "subscribers.suppressions:unsuppress",
        "Undo a suppression; the address gets mail again only with consent.",
    ),
    "suppressions": (
        "subscribers.suppressions:suppressions",
        "List all suppressions as CSV, oldest first; erased addresses are keyed hashes.",
    ),
}
WELCOME = {
    "preview": (
        "welcome:preview",
        "Render each step of content/welcome; files lie under var/welcome.",
    ),
    "approve": (
        "welcome:approve",
        "Approve what was previewed; a step that is changed afterwards goes on as it was approved.",
    ),
    "status": (
        "welcome:status",
        "Show each step: whether it is approved, and for how many readers it was queued and sent.",
    ),
    "send": (
        "welcome:send",
        "Send the steps that are due now, as the flows do every few minutes; none twice.",
    ),
}
BOUNCES = {
    "collect": (
        "bounces:collect",
        "Read the inbox: hard bounces and complaints suppress, soft ones count, people's mail stays.",
    ),
    "list": ("bounces:list_", "List the reports, newest first, without addresses."),
    "show": ("bounces:show", "Show one raw report as it came, while it is kept."),
}
WEBHOOKS = {
    "list": (
        "webhooks:list_",
        "List the webhooks of the settings, what waits for them, and why one fails.",
    ),
    "test": (
        "webhooks:test",
        "Post a signed message that says nothing to a webhook, and show whether it was taken.",
    ),
    "retry": (
        "webhooks:retry",
        "Post now what waits, also to a webhook that has stopped; exit code 1 if something still waits.",
    ),
}
STORE = {
    "info": (
        "store:info",
        "Show which store this is, its migration, size and rows, and whether sending is on hold.",
    ),
    "upgrade": (
        "store:upgrade",
        "Bring the store forward to this version of the program, after a backup.",
    ),
    "copy": (
        "store:copy",
        "Copy the store into an empty one, verify that both are equal, and put this one on hold.",
    ),
    "pack": (
        "store:pack",
        "Pack the deliveries of old issues, which takes a fraction of the room.",
    ),
    "confirm": (
        "store:confirm",
        "Let a restored store send again, or one that was set back, once you know what is in doubt.",
    ),
}
TEMPLATES = {
    "list": (
        "templates:list_",
        "List the templates: the publication's own, and those that the look has.",
    ),
    "copy": ("templates:copy", "Copy templates of the look into templates/, to be changed there."),
    "gallery": (
        "templates:gallery",
        "Show every piece of mails and pages on one page, light and dark, with the lines that make it.",
    ),
}
SECRETS = {
    "list": (
        "secrets:list_keys",
        "List the token keys by number, without the keys themselves; the last one signs.",
    ),
    "rotate": (
        "secrets:rotate",
        "Make a new token key, which signs all links from now on; links in old mails keep working.",
    ),
    "drop": (
        "secrets:drop",
        "Delete a token key that leaked: every link it signed ends at once, unsubscribe links too.",
    ),
}
TOKENS = {
    "create": (
        "tokens:create",
        "Make a token for the HTTP API and print it: it is shown now and never again.",
    ),
    "list": (
        "tokens:list_",
        "List the tokens with scopes, end and the day of their last use; the tokens themselves are not kept.",
    ),
    "revoke": ("tokens:revoke", "Revoke a token: from now on every request with it is refused."),
    "openapi": (
        "tokens:openapi",
        "Print the OpenAPI document of the HTTP API, as /api/v1/openapi.json has it.",
    ),
}
DKIM = {
    "keygen": ("dkim:keygen", "Make a key for DKIM and print the DNS record that belongs to it."),
}
ALARMS = {
    "list": (
        "alerts:list_",
        "List what operators were told of and what has not passed since, oldest first.",
    ),
    "apply": (
        "alerts:apply",
        "Create or renew the automations of FILE in Prefect; may be repeated at any time.",
    ),
}


class Commands(SectionedGroup):
    """All commands in the order of their use: write and send, subscribers, operate."""

    sections = {  # noqa: RUF012  a constant of the class
        "Write and send": (
            LazyCommand(
                "init",
                "init:init",
                "Make a new publication: settings, content and templates to change, and its schedules.",
            ),
            LazyCommand(
                "demo",
                "init:demo",
                "Run the main job on sample content: everything on this machine, nothing to set up.",
            ),
            lazy_group(
                "essay", "Begin an essay, take one over, see where all of them stand.", ESSAY
            ),
            lazy_group("feeds", "Ask the feeds, see how they do, keep their list.", FEEDS),
            LazyCommand(
                "check",
                "check:check",
                "Check content, feeds.toml, newsletter.toml, templates and today's issue; "
                "nothing is sent.",
            ),
            LazyCommand(
                "pull-request",
                "pull_request:pull_request",
                "Check a branch, and show what it changes for the readers; "
                "uses no store, feeds or secrets.",
            ),
            lazy_group("issue", "Look at an issue, approve it, send it, follow it.", ISSUE),
            lazy_group("archive", "The web pages of all issues that were sent.", ARCHIVE),
        ),
        "Readers": (
            lazy_group("subscribers", "Subscribers, their consent, and suppressions.", SUBSCRIBERS),
            lazy_group("welcome", "What new readers get after the confirmation.", WELCOME),
            lazy_group("bounces", "Bounces and complaints.", BOUNCES),
            LazyCommand(
                "web",
                "web:web",
                "Serve the archive and the pages for subscribing and leaving, behind a TLS proxy.",
            ),
        ),
        "Run it": (
            LazyCommand(
                "up",
                "up:up",
                "Start Prefect's server, all schedules of prefect.yaml and the web pages; Ctrl-C ends them.",
            ),
            LazyCommand(
                "flow",
                "flow:flow",
                "Run a flow now, with a run in Prefect: the program's, or your own from flows/.",
            ),
            LazyCommand(
                "doctor",
                "doctor:doctor",
                "Look for what is wrong: relay, DNS, unsubscribing, store, disk, Prefect, feeds, settings.",
            ),
            LazyCommand(
                "backup",
                "backup:backup",
                "Copy the store and the secrets into one file, while everything goes on.",
            ),
            LazyCommand(
                "restore",
                "backup:restore",
                "Put a backup in the place of the store; then nothing goes out until you "
                "confirm it.",
            ),
            lazy_group("store", "The store: look at it, upgrade it, move it, pack it.", STORE),
            lazy_group("templates", "What mails and pages are made of.", TEMPLATES),
            lazy_group("secrets", "The keys that sign the readers' links.", SECRETS),
            lazy_group("tokens", "Tokens of the HTTP API, for other programs.", TOKENS),
            lazy_group("dkim", "Sign mail with one's own key.", DKIM),
            lazy_group("alarms", "Notifications for operators and editors.", ALARMS),
            lazy_group("webhooks", "Programs elsewhere that are told of events.", WEBHOOKS),
            LazyCommand(
                "report",
                "report:report",
                "Make a page of the figures: list, issues, relays, feeds and quotas, each chart with its table.",
            ),
            LazyCommand(
                "metrics",
                "metrics:metrics",
                "Print the figures of /metrics, such as for the textfile collector of "
                "node_exporter.",
            ),
            LazyCommand(
                "drain",
                "drain:drain",
                "Let the workers of this machine finish the mails in transit, and stop; the rest stays queued.",
            ),
        ),
    }


commands = typer.Typer(
    name="upcycle-news",
    cls=Commands,
    help="From essays and related feeds to a newsletter in the reader's mailbox.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"upcycle-news {__version__}")
        raise typer.Exit


@commands.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """From essays and related feeds to a newsletter in the reader's mailbox.

    A publication is a folder with newsletter.toml, content/ and templates/; commands work on the
    one in the current folder, or in UPCYCLE_NEWS_HOME. Example: upcycle-news issue preview
    """
