"""Collects the posts of the organisation's own sites as essays, each once; nobody's text is replaced.

A post is remembered in the store by its source and its key, and recognised by its address as well: in
another source, and in the essays. What became of it lies under var/collected, on a branch, or in content/.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import unified_diff
from typing import Any
from urllib.parse import urlsplit

from upcycle_news.app.context import AppContext
from upcycle_news.config.sections import SourceSettings
from upcycle_news.content.manuscripts.compose import ComposedEssay, ImportRequest
from upcycle_news.content.posts.compose import (
    compose_post,
    draft_name,
    post_digest,
    post_document,
    slug_of_name,
)
from upcycle_news.content.posts.markup import PostMarkup, prepare_post
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.feeds.parser_sandbox import ParseLimits, ParserSandbox
from upcycle_news.feeds.results import Failed, Fetched, FetchLimits
from upcycle_news.fileio import display_path, write_atomically
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import Essay, Feed
from upcycle_news.models.posts import ParsedPosts, Post
from upcycle_news.observability.logging import Log
from upcycle_news.rendering.images import open_image
from upcycle_news.services.content import drafts
from upcycle_news.services.content.collected_branches import branch_of, push_draft
from upcycle_news.services.content.collection_report import EssayRunReport, Outcome, PostReport
from upcycle_news.services.content.drafts import Draft
from upcycle_news.services.content.files import read_publication_essays
from upcycle_news.services.content.git_sync import localize_pull_failure, pull
from upcycle_news.services.content.import_essays import picture_suffix
from upcycle_news.storage import collected_posts
from upcycle_news.storage.collected_posts import CollectedPost
from upcycle_news.text.html_text import html_to_text
from upcycle_news.text.private_hosts import PrivateAccess
from upcycle_news.text.urls import canonical_link, is_private_link

log = Log(__name__)

PICTURE_BYTES = 15 * 1024 * 1024
"""Of a picture at the most, as it is sent."""


def collect_essays(context: AppContext, names: Collection[str] = ()) -> EssayRunReport:
    """Collect the active sources, or those in `names`; raises `UpcycleError`.

    A source that fails is in the report and stops nothing.
    """
    sources = _named(context.settings.sources, names)
    with _alone(context):
        failure = pull(context.settings.home) if context.settings.feeds.git_pull else ""
        drafts.drop_unfinished(context)
        collection = _Collection(context)
        with ParserSandbox(ParseLimits(seconds=context.settings.feeds.reading_seconds)) as sandbox:
            for source in sources:
                collection.collect(source, sandbox)
    report = EssayRunReport(
        tuple(collection.posts),
        collection.unchanged,
        tuple(collection.failed),
        tuple(collection.problems),
        localize_pull_failure(failure) if failure else None,
    )
    log.info(
        "essays collected",
        new=report.count("new"),
        updated=report.count("updated"),
        changed=report.count("changed"),
        refused=report.count("refused"),
        failed=len(report.failed),
    )
    return report


def _named(sources: Sequence[SourceSettings], names: Collection[str]) -> tuple[SourceSettings, ...]:
    if not sources:
        raise UpcycleError(localized("collect-none"))
    known = tuple(source.name for source in sources)
    for name in names:
        if name not in known:
            raise UpcycleError(localized("collect-unknown", name=name[:80], known=known))
    return tuple(source for source in sources if (source.name in names if names else source.active))


@contextmanager
def _alone(context: AppContext) -> Iterator[None]:
    """Hold the lock of collections on this machine; it ends with the process."""
    folder = drafts.drafts_folder(context)
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UpcycleError(localized("collect-running")) from None
        yield
    finally:
        os.close(handle)


@dataclass
class _Made:
    """An essay made of a post, without the pictures at the addresses in `lacking`.

    `is_momentary`: one of these may be there the next time, and was there the last time.
    """

    essay: ComposedEssay
    lacking: tuple[str, ...]
    is_momentary: bool


@dataclass
class _Collection:
    """A collection: what is known when it begins, and what comes of it."""

    context: AppContext
    posts: list[PostReport] = field(default_factory=list)
    failed: list[tuple[str, LocalizedText]] = field(default_factory=list)
    problems: list[tuple[str, LocalizedText]] = field(default_factory=list)
    unchanged: int = 0
    rows: list[CollectedPost] = field(init=False)
    essays: dict[str, Essay] = field(init=False)
    files: dict[str, str] = field(init=False)  # of essays, readable or not, by slug
    slugs: set[str] = field(init=False)

    def __post_init__(self) -> None:
        context = self.context
        self.rows = list(collected_posts.read_all(context.store))
        home, found = context.settings.home, read_publication_essays(context).essays
        texts = (one for essay in found for one in (essay, *essay.translations))
        self.essays = {canonical_link(text.canonical): text for text in texts if text.canonical}
        files = (context.content_folder / "essays").glob("*.md")
        self.files = {slug_of_name(path.stem): display_path(path, home) for path in files}
        self.slugs = {*self.files}
        self.slugs |= {slug_of_name(row.name) for row in self.rows if row.name}

    # --- a source

    def collect(self, source: SourceSettings, sandbox: ParserSandbox) -> None:
        """Fetch a source's feed and handle its posts, oldest first."""
        result = self._fetch([source.url], FetchLimits().body_bytes)[source.url]
        if isinstance(result, Failed):
            self.failed.append((source.name, recognise(result.reason, "feeds")))
            return
        parsed = sandbox.parse_posts(
            result.body,
            url=result.url,
            content_type=result.content_type,
            name=source.name,
            language=source.language or self.context.settings.publication.language,
            now=self.context.clock(),
        )
        problems = [recognise(problem, "feeds") for problem in parsed.problems]
        if not parsed.format:
            self.failed.append((source.name, (problems or [localized("feed-other")])[0]))
            return
        self.problems += [(source.name, problem) for problem in problems]
        for post in reversed(parsed.posts):
            if source.since is None or post.at is None or self._day(post) >= source.since:
                self._post(source, post)
        if not parsed.problems:
            self._look_for_gone(source, parsed)

    def _fetch(self, urls: Sequence[str], size: int) -> Mapping[str, Fetched | Failed]:
        from upcycle_news.feeds.fetcher import fetch_feeds  # late: imports the HTTP client

        settings = self.context.settings.feeds
        results = fetch_feeds(
            [Feed(name=url, url=url) for url in urls],
            {},
            user_agent=self.context.user_agent,
            allow_private=settings.allow_private,
            now=self.context.clock(),
            limits=FetchLimits(body_bytes=size, seconds=settings.deadline_seconds),
        )
        return {
            result.feed.url: result for result in results if isinstance(result, Fetched | Failed)
        }

    def _day(self, post: Post) -> Any:
        at = post.at or self.context.clock()
        return at.astimezone(self.context.settings.publication.zone).date()

    # --- a post

    def _post(self, source: SourceSettings, post: Post) -> None:
        row = self._row(source, post)
        address = canonical_link(post.link)
        if row is not None and (row.source, row.post_key) != (source.name, post.key):
            self.unchanged += 1  # another source has it as well
        elif row is None and address in self.essays:
            self.unchanged += 1  # an editor took it over by hand
        elif row is not None and row.digest == post_digest(post):
            self._unchanged(row)
        elif post.cut:
            self._refuse(source, post, row, self._cut_sentence(post))
        elif row is None or row.state == "refused":
            self._new(source, post, row)
        else:
            self._changed(source, post, row)

    def _row(self, source: SourceSettings, post: Post) -> CollectedPost | None:
        own = (row for row in self.rows if (row.source, row.post_key) == (source.name, post.key))
        address = canonical_link(post.link)
        same = (row for row in self.rows if row.canonical == address)
        return next(own, None) or next(same, None)

    def _save(self, row: CollectedPost) -> None:
        collected_posts.save(self.context.store, row)
        key = (row.source, row.post_key)
        self.rows = [other for other in self.rows if (other.source, other.post_key) != key]
        self.rows.append(row)

    def _unchanged(self, row: CollectedPost) -> None:
        """Push a draft that could not be pushed before."""
        draft = drafts.draft_of(self.context, row.name)
        waits = row.state == "draft" and self.context.settings.collect.push
        self.unchanged += 1
        if waits and draft.text() == row.text and not draft.update.folder.exists():
            sentence, row, failed = self._hand_on(row, draft)
            if row.state == "pushed" or failed:
                self._say(row, "new", sentence, failed=failed)
        if row.gone:
            self._save(replace(row, gone=False))

    def _cut_sentence(self, post: Post) -> LocalizedText:
        if post.cut == "summary":
            return localized("post-summary-only")
        if post.cut == "empty":
            return localized("post-empty")
        return localized("post-ends", end=html_to_text(post.html)[-40:])

    def _refuse(
        self, source: SourceSettings, post: Post, row: CollectedPost | None, why: LocalizedText
    ) -> None:
        """Say once why a post makes no essay; what there is of it stays."""
        if row is not None and row.state != "refused":
            row = replace(row, digest=post_digest(post))
            why = localized("post-cut-now") if post.cut else why
        else:
            row = self._fresh_row(source, post, "")
        self._save(row)
        self._say(row, "refused", why, failed=True)

    def _fresh_row(self, source: SourceSettings, post: Post, name: str) -> CollectedPost:
        return CollectedPost(
            source=source.name,
            post_key=post.key,
            canonical=canonical_link(post.link),
            title=post.title,
            name=name,
            state="draft" if name else "refused",
            digest=post_digest(post),
            text="",
            collected_at=self.context.clock(),
        )

    def _new(self, source: SourceSettings, post: Post, row: CollectedPost | None) -> None:
        """Make the draft of a post; what a killed collection had made already stays as it is."""
        identity = (source.name, post.key)
        left = [draft for draft in drafts.all_drafts(self.context) if draft.identity() == identity]
        taken = frozenset(
            self.slugs | {slug_of_name(d.name) for d in drafts.all_drafts(self.context)}
        )
        plain = draft_name(post.title, self._day(post), source.name, frozenset())
        name = left[0].name if left else draft_name(post.title, self._day(post), source.name, taken)
        try:
            made = self._make(source, post, name)
            staged = drafts.stage(
                self.context, name, made.essay.text, made.essay.pictures, identity
            )
        except ContentError as error:
            self._refuse(source, post, row, error.localized_text)
            return
        draft = left[0] if left else drafts.place(self.context, staged)
        if left:
            staged.remove()
        row = replace(
            self._fresh_row(source, post, name), text=made.essay.text, lacking=made.lacking
        )
        self._save(row)
        self.slugs.add(slug_of_name(name))
        notes = made.essay.notes
        if name != plain and not left:
            slug = slug_of_name(plain)
            notes = (localized("post-renamed", slug=slug, name=slug_of_name(name)), *notes)
        sentence, row, failed = self._hand_on(row, draft)
        self._say(row, "new", sentence, notes=notes, failed=failed)

    def _hand_on(
        self, row: CollectedPost, draft: Draft
    ) -> tuple[LocalizedText, CollectedPost, bool]:
        """Push a draft where a repository is set; return what to say, and whether that failed."""
        path = display_path(draft.essay, self.context.settings.home)
        if not self.context.settings.collect.push:
            return localized("collect-new-draft", path=path, name=draft.name), row, False
        branch = branch_of(draft.name)
        pushed = push_draft(self.context, draft, row.title, expected=row.branch_commit)
        if pushed.error is not None:
            text = localized(
                "collect-not-pushed", branch=branch, reason=pushed.error, path=path, name=draft.name
            )
            return text, row, True
        row = replace(row, state="pushed", branch_commit=pushed.commit)
        self._save(row)
        draft.remove()
        return localized("collect-new-branch", branch=branch), row, False

    # --- a post that changed

    def _changed(self, source: SourceSettings, post: Post, row: CollectedPost) -> None:
        """Renew a draft that nobody edited; else show the difference and leave everything as it is."""
        try:
            made = self._make(source, post, row.name, row)
            if made.is_momentary:
                # Without it the text would look changed; the next collection tries again.
                self._say(row, "changed", localized("post-picture-later"), notes=made.essay.notes)
                return
            if made.essay.text == row.text:
                self._save(replace(row, digest=post_digest(post)))
                self.unchanged += 1
                return
            identity = (row.source, row.post_key)
            essay = made.essay
            staged = drafts.stage(self.context, row.name, essay.text, essay.pictures, identity)
        except ContentError as error:
            self._refuse(source, post, row, error.localized_text)
            return
        row = replace(row, digest=post_digest(post), title=post.title)
        change = _diff(row.text, essay.text, f"content/essays/{row.name}.md")
        outcome, sentence, row = self._renew(row, staged, change)
        staged.remove()
        if outcome == "updated":
            row = replace(row, text=essay.text, lacking=made.lacking)
        self._save(row)
        self._say(row, outcome, sentence, notes=essay.notes, diff=change)

    def _renew(
        self, row: CollectedPost, staged: Draft, change: str
    ) -> tuple[Outcome, LocalizedText, CollectedPost]:
        context, draft = self.context, drafts.draft_of(self.context, row.name)
        essay = self.essays.get(row.canonical)
        file = essay.source if essay else self.files.get(slug_of_name(row.name))
        if file is not None:
            self._keep_update(staged, change)
            what = localized("post-changed-essay", essay=file, name=row.name)
        elif row.state == "pushed":
            pushed = push_draft(context, staged, row.title, expected=row.branch_commit)
            if pushed.error is None:
                return (
                    "updated",
                    localized("collect-updated"),
                    replace(row, branch_commit=pushed.commit),
                )
            file = self._keep_update(staged, change)
            what = localized("post-changed-branch", branch=branch_of(row.name), file=file)
        elif draft.text() == row.text:
            drafts.place(context, staged)
            return "updated", localized("collect-updated"), row
        elif draft.text() is not None:
            what = localized("post-changed-draft", file=self._keep_update(staged, change))
        else:
            what = localized("post-changed-nowhere")
        return "changed", localized("post-changed", what=what), row

    def _keep_update(self, staged: Draft, change: str) -> str:
        """Keep the site's version beside what was edited, and its diff; return the diff's path."""
        draft = drafts.draft_of(self.context, staged.name)
        drafts.place(self.context, staged, as_update=True)
        write_atomically(draft.diff, change.encode())
        return display_path(draft.diff, self.context.settings.home)

    # --- the essay of a post

    def _make(
        self, source: SourceSettings, post: Post, name: str, row: CollectedPost | None = None
    ) -> _Made:
        """Return the essay of a post; raises `ContentError` for one that makes none."""
        where = f"{source.name}: {post.title}"
        markup = prepare_post(post, where)
        pictures, failed, momentary = self._pictures(markup)
        markup.without(failed)
        document = post_document(markup, where, pictures)
        # A post without a date keeps the day on which it was collected first.
        day = type(self.context.today).fromisoformat(name[:10]) if row and not post.at else None
        # A picture without a description is an error: as a draft the essay stops no issue.
        undescribed = any(
            not (element.get("alt") or "").strip()
            for element in document.body.iter("img") if element.get("src") in document.pictures
        )  # fmt: skip
        if undescribed and source.status == "ready":
            markup.notes.append(localized("post-draft-undescribed"))
        request = ImportRequest(
            where=where,
            title=post.title,
            day=day or self._day(post),
            author=post.author or source.author or None,
            language=source.language or None,
            publication_language=self.context.settings.publication.language,
            status="draft" if undescribed else source.status,
            summary=post.summary,
            topics=tuple(dict.fromkeys((*source.topics, *post.topics))),
            canonical=post.link,
        )
        essay = compose_post(document, markup, request, name, picture_suffix)
        known = row.lacking if row else ()
        return _Made(essay, tuple(failed), any(address not in known for address in momentary))

    def _pictures(
        self, markup: PostMarkup
    ) -> tuple[dict[str, bytes], dict[str, LocalizedText], list[str]]:
        """Fetch the pictures of a post; return them and why others are missing, by address.

        The addresses at the end are those of the others that may answer the next time.
        """
        pictures: dict[str, bytes] = {}
        failed: dict[str, LocalizedText] = {}
        momentary: list[str] = []
        results = self._fetch(markup.pictures, PICTURE_BYTES) if markup.pictures else {}
        for address in markup.pictures:
            result = results.get(address)
            if isinstance(result, Fetched):
                if (reason := _unusable(result.body)) is None:
                    pictures[address] = result.body
                else:
                    failed[address] = reason
            else:
                sentence = result.reason if result else str(localized("feed-other"))
                failed[address] = recognise(sentence, "feeds")
                if self._may_answer_later(address, result.status if result else None):
                    momentary.append(address)
        return pictures, failed, momentary

    def _may_answer_later(self, address: str, status: int | None) -> bool:
        """Tell whether a picture is missing for the moment: not one that is refused or not there."""
        access = PrivateAccess.parse(self.context.settings.feeds.allow_private)
        if is_private_link(address) and not access.allows_host(urlsplit(address).hostname or ""):
            return False
        return status is None or status in (408, 425, 429) or status >= 500

    # --- posts that are gone

    def _look_for_gone(self, source: SourceSettings, parsed: ParsedPosts) -> None:
        """Ask for posts that left a feed which still has older ones: 404 and 410 say that they are gone."""
        days = [self._day(post) for post in parsed.posts if post.at is not None]
        keys = {post.key for post in parsed.posts}
        if not days:
            return
        oldest = min(days).isoformat()
        missing = [
            row
            for row in self.rows
            if row.source == source.name and row.post_key not in keys
            and row.name[:10] > oldest and row.state != "refused" and not row.gone
        ]  # fmt: skip
        results = self._fetch([row.canonical for row in missing], PICTURE_BYTES) if missing else {}
        for row in missing:
            result = results.get(row.canonical)
            if isinstance(result, Failed) and result.status in (404, 410):
                self._save(replace(row, gone=True))
                sentence = localized("post-gone", address=row.canonical, reason=str(result.status))
                self._say(row, "gone", sentence)

    def _say(
        self, row: CollectedPost, outcome: Outcome, sentence: LocalizedText, *,
        notes: tuple[LocalizedText, ...] = (), diff: str = "", failed: bool = False,
    ) -> None:  # fmt: skip
        self.posts.append(
            PostReport(row.source, row.title, outcome, sentence, row.name, notes, diff, failed)
        )


def _unusable(data: bytes) -> LocalizedText | None:
    """Return why no mail can show a picture, None for one that it can."""
    if not picture_suffix(data):
        return localized("import-missing-format")
    try:
        with open_image("picture", data):
            return None
    except ContentError as error:
        return error.localized_text


def _diff(old: str, new: str, name: str) -> str:
    lines = unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{name}", f"b/{name}", n=1
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
