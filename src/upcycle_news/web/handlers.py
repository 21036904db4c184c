"""What each address answers. A GET changes nothing, whoever sends it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from upcycle_news.app.context import AppContext
from upcycle_news.errors import AddressError, UpcycleError
from upcycle_news.models import EmailAddress, Subscriber, SubscriberStatus
from upcycle_news.observability.logging import Log
from upcycle_news.services.issues.preview_link import preview_html
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.storage import subscribers
from upcycle_news.storage.signups import Confirmed, Signup
from upcycle_news.storage.subscribers import UnsubscribeMethod
from upcycle_news.subscribers.link_tokens import Purpose, Token
from upcycle_news.web.pages import LANGUAGES, PageRenderer
from upcycle_news.web.rate_limit import NetworkRateLimit, read_form

log = Log(__name__)

T = TypeVar("T")


@dataclass
class Handlers:
    """The handlers of one publication. The store is asked in threads: SQLite blocks."""

    context: AppContext
    pages: PageRenderer
    limit: NetworkRateLimit
    post: ThreadPoolExecutor
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=8, thread_name_prefix="web")
    )

    def close(self) -> None:
        """Let the threads end."""
        self.threads.shutdown(wait=True)

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run what blocks beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work, *arguments)

    def look_at_store(self) -> None:
        """Raise `UpcycleError` when the store does not answer."""
        subscribers.by_number(self.context.store, 0)

    # --- joining

    async def show_subscribe(self, request: Request) -> Response:
        """The form."""
        return self._page(request, "subscribe")

    async def subscribe(self, request: Request) -> Response:
        """Take a sign-up; the answer is the same for everybody."""
        form = await read_form(request)
        language = _choice(form, "language", self._language(request))
        wants_json = "application/json" in request.headers.get("accept", "")
        if not self.limit.allows(request.client.host if request.client else ""):
            return self._page(request, "too_many", 429, language, headers={"Retry-After": "3600"})
        try:
            email = EmailAddress.parse(_first(form, "email"))
        except AddressError:
            if wants_json:
                return JSONResponse({"ok": False, "error": "email"}, 422)
            return self._page(request, "subscribe", 422, language, error="page_bad_address")
        if not _first(form, "website"):  # people leave the trap empty
            source = f"web: {self.context.link_signer.public_url}/subscribe"
            ip = request.client.host if request.client else ""
            signup = await self.in_thread(self._sign_up, email, language, source, ip)
            if signup is not None:
                self.post.submit(self._mail, signup)
        if wants_json:
            return JSONResponse({"ok": True})
        days = self.context.settings.audience.confirm_days
        return self._page(request, "asked", 200, language, days=days)

    def _sign_up(self, email: EmailAddress, language: str, source: str, ip: str) -> Signup | None:
        return subscriptions.sign_up(self.context, email, language=language, source=source, ip=ip)

    def _mail(self, signup: Signup) -> None:
        try:
            subscriptions.send_confirmation_mail(self.context, signup)
        except UpcycleError as error:
            log.error("a sign-up waits for its mail", sign_up=signup.consent, why=error)
        except Exception as error:
            log.error(
                "a sign-up waits for its mail", sign_up=signup.consent, why=type(error).__name__
            )

    async def show_confirm(self, request: Request) -> Response:
        """The one button. Scanners that open links confirm nothing."""
        token = request.path_params["token"]
        done, person = await self.in_thread(
            partial(subscriptions.confirm, self.context, token, act=False)
        )
        if done is Confirmed.NOW and person is not None:
            path = self._path(Purpose.CONFIRM, token)
            return self._page(request, "confirm", 200, person.language, action=path)
        return self._after_confirming(request, done, person)

    async def confirm(self, request: Request) -> Response:
        """The consent holds from now on."""
        await read_form(request)
        token = request.path_params["token"]
        done, person = await self.in_thread(subscriptions.confirm, self.context, token)
        return self._after_confirming(request, done, person)

    def _after_confirming(
        self, request: Request, done: Confirmed, person: Subscriber | None
    ) -> Response:
        if done is Confirmed.UNKNOWN or person is None:
            raise HTTPException(404)
        if done is Confirmed.EXPIRED:
            return self._page(request, "expired", 410, person.language)
        token = self.context.link_signer.token(Purpose.PREFERENCES, person.id)
        path = self._path(Purpose.PREFERENCES, token)
        return self._page(request, "confirmed", 200, person.language, preferences=path)

    # --- leaving

    async def show_unsubscribe(self, request: Request) -> Response:
        """The one button. Scanners that open links end nothing."""
        token, read, person = await self._reader(request, Purpose.UNSUBSCRIBE)
        language = person.language if person else None
        if person is None or person.status is SubscriberStatus.UNSUBSCRIBED:
            return self._page(request, "unsubscribed", 200, language)
        preferences = self.context.link_signer.token(Purpose.PREFERENCES, read.subscriber, read.issue)
        return self._page(
            request,
            "unsubscribe",
            200,
            language,
            action=self._path(Purpose.UNSUBSCRIBE, token),
            preferences=self._path(Purpose.PREFERENCES, preferences),
        )

    async def unsubscribe(self, request: Request) -> Response:
        """RFC 8058: a bare POST is enough, as often as it comes."""
        form = await read_form(request)
        _, read, person = await self._reader(request, Purpose.UNSUBSCRIBE)
        one_click = _first(form, "List-Unsubscribe") == "One-Click"
        way = UnsubscribeMethod.ONE_CLICK if one_click else UnsubscribeMethod.PAGE
        await self.in_thread(subscriptions.unsubscribe, self.context, read, person, way)
        return self._page(request, "unsubscribed", 200, person.language if person else None)

    # --- preferences

    async def show_preferences(self, request: Request) -> Response:
        """Topics and language as they are."""
        token, _, person = await self._reader(request, Purpose.PREFERENCES)
        if person is None:
            raise HTTPException(404)
        if person.status is not SubscriberStatus.CONFIRMED:
            return self._page(request, "unsubscribed", 200, person.language)
        return self._preferences(request, token, person)

    async def preferences(self, request: Request) -> Response:
        """Save topics and language, or leave."""
        form = await read_form(request)
        token, read, person = await self._reader(request, Purpose.PREFERENCES)
        if person is None:
            raise HTTPException(404)
        if _first(form, "do") == "leave":
            await self.in_thread(subscriptions.unsubscribe, self.context, read, person, UnsubscribeMethod.PREFERENCES)
            return self._page(request, "unsubscribed", 200, person.language)
        if person.status is not SubscriberStatus.CONFIRMED:
            return self._page(request, "unsubscribed", 200, person.language)
        known = self.context.settings.audience.topics
        chosen = set(form.get("topic", ()))
        # Topics that are not offered here (from a list, or no longer) stay as they are.
        topics = [topic for topic in known if topic in chosen]
        topics += [topic for topic in person.topics if topic not in known]
        language = _choice(form, "language", person.language)

        def save() -> Subscriber | None:
            subscribers.set_preferences(
                self.context.store,
                person,
                language=language,
                topics=topics,
                now=self.context.clock(),
            )
            return subscribers.by_number(self.context.store, person.id)

        saved = await self.in_thread(save)
        if saved is None:
            raise HTTPException(404)
        return self._preferences(request, token, saved, saved=True)

    def _preferences(
        self, request: Request, token: str, person: Subscriber, *, saved: bool = False
    ) -> Response:
        return self._page(
            request,
            "preferences",
            200,
            person.language,
            action=self._path(Purpose.PREFERENCES, token),
            topics=self.context.settings.audience.topics,
            chosen=person.topics,
            saved=saved,
        )

    # --- what they share

    async def _reader(
        self, request: Request, purpose: Purpose
    ) -> tuple[str, Token, Subscriber | None]:
        token = request.path_params["token"]
        found = await self.in_thread(subscriptions.read_link, self.context, purpose, token)
        if found is None:
            raise HTTPException(404)
        return token, *found

    def plain(self, request: Request, view: str, status: int) -> HTMLResponse:
        """A page without anything personal."""
        return self._page(request, view, status)

    def _page(
        self,
        request: Request,
        view: str,
        status: int = 200,
        language: str | None = None,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        spoken = language if language in LANGUAGES else self._language(request)
        html = self.pages.write(view, spoken, root=self._root, **values)
        told = {"Content-Language": spoken, **(headers or {})}
        return HTMLResponse(html, status, headers=told)

    @property
    def _root(self) -> str:
        """The path of the public address, so that the pages also work below one."""
        return (
            "/" + "/".join(self.context.link_signer.public_url.split("/")[3:]).strip("/")
            if (self.context.link_signer.public_url.count("/") > 2)
            else ""
        )

    def _path(self, purpose: Purpose, token: str) -> str:
        return f"{self._root}/{purpose}/{token}"

    def _language(self, request: Request) -> str:
        """What was asked for by ``?lang=``, then by the browser, then the publication's."""
        asked = request.query_params.get("lang", "")
        if asked in LANGUAGES:
            return asked
        for part in request.headers.get("accept-language", "").split(","):
            spoken = part.partition(";")[0].strip().lower().partition("-")[0]
            if spoken in LANGUAGES:
                return spoken
        return self.context.settings.publication.language


def _first(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _choice(form: dict[str, list[str]], name: str, default: str) -> str:
    value = _first(form, name)
    return value if value in LANGUAGES else default


# The page embeds the mail, whose styles are inline; it loads nothing and runs nothing.
_PREVIEW_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


async def show_preview(handlers: Handlers, request: Request) -> Response:
    """The page a preview link opens; 404 for one that is altered, foreign or has expired."""
    token = request.path_params["token"]
    html = await handlers.in_thread(preview_html, handlers.context, token)
    if html is None:
        return handlers.plain(request, "missing", 404)
    return HTMLResponse(html, headers=_PREVIEW_HEADERS)


# Made by models.archive_paths.hosted_name: the name is the content, so it may be kept for ever.
_NAME = re.compile(r"[0-9a-f]{32}\.(?:png|jpg|gif)\Z")
_IMAGE_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "cross-origin",  # web mail shows it on a page of its own
}


async def show_picture(handlers: Handlers, request: Request) -> Response:
    """A published picture; 404 for every other name."""
    path = await handlers.in_thread(
        _find, handlers.context.hosted_images_folder, request.path_params["name"]
    )
    if path is None:
        return handlers.plain(request, "missing", 404)
    return FileResponse(path, headers=_IMAGE_HEADERS)


def _find(folder: Path, name: str) -> Path | None:
    path = folder / name
    return path if _NAME.match(name) and path.is_file() else None
