"""The request handlers. A GET never changes anything: mail scanners follow links."""

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
from upcycle_news.models import EmailAddress, Subscriber, SubscriberStatus, UnsubscribeMethod
from upcycle_news.observability.logging import Log
from upcycle_news.services.issues.preview_link import preview_html
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.storage import subscribers
from upcycle_news.storage.signups import ConfirmationResult, Signup
from upcycle_news.subscribers.link_tokens import Purpose, Token
from upcycle_news.web.pages import LANGUAGES, PageRenderer
from upcycle_news.web.rate_limit import NetworkRateLimit, read_form

log = Log(__name__)

T = TypeVar("T")


@dataclass
class Handlers:
    """The handlers of one publication. The store is queried in threads: SQLite blocks."""

    context: AppContext
    pages: PageRenderer
    limit: NetworkRateLimit
    mail_executor: ThreadPoolExecutor
    executor: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=8, thread_name_prefix="web")
    )

    def close(self) -> None:
        """Wait for the threads to end."""
        self.executor.shutdown(wait=True)

    async def run_in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run a blocking function outside of the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, work, *arguments)

    def check_store(self) -> None:
        """Raise `UpcycleError` when the store does not answer."""
        subscribers.by_id(self.context.store, 0)

    # --- sign-up

    async def show_subscribe(self, request: Request) -> Response:
        """Return the sign-up form."""
        return self._page(request, "subscribe")

    async def subscribe(self, request: Request) -> Response:
        """Take a sign-up; the response is the same for known and unknown addresses."""
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
        if not _first(form, "website"):  # a honeypot field: people do not see it and leave it empty
            source = f"web: {self.context.link_signer.public_url}/subscribe"
            ip = request.client.host if request.client else ""
            signup = await self.run_in_thread(self._sign_up, email, language, source, ip)
            if signup is not None:
                self.mail_executor.submit(self._send_confirmation, signup)
        if wants_json:
            return JSONResponse({"ok": True})
        days = self.context.settings.audience.confirm_days
        return self._page(request, "asked", 200, language, days=days)

    def _sign_up(self, email: EmailAddress, language: str, source: str, ip: str) -> Signup | None:
        return subscriptions.sign_up(self.context, email, language=language, source=source, ip=ip)

    def _send_confirmation(self, signup: Signup) -> None:
        try:
            subscriptions.send_confirmation_mail(self.context, signup)
        except UpcycleError as error:
            log.error("confirmation mail pending", sign_up=signup.consent, why=error)
        except Exception as error:
            log.error("confirmation mail pending", sign_up=signup.consent, why=type(error).__name__)

    async def show_confirm(self, request: Request) -> Response:
        """Return a page with one button. Scanners that open links confirm nothing."""
        token = request.path_params["token"]
        result, subscriber = await self.run_in_thread(
            partial(subscriptions.confirm, self.context, token, act=False)
        )
        if result is ConfirmationResult.NOW and subscriber is not None:
            path = self._path(Purpose.CONFIRM, token)
            return self._page(request, "confirm", 200, subscriber.language, action=path)
        return self._confirmation_page(request, result, subscriber)

    async def confirm(self, request: Request) -> Response:
        """Confirm the subscription: from now on the consent is valid."""
        await read_form(request)
        token = request.path_params["token"]
        result, subscriber = await self.run_in_thread(subscriptions.confirm, self.context, token)
        return self._confirmation_page(request, result, subscriber)

    def _confirmation_page(
        self, request: Request, result: ConfirmationResult, subscriber: Subscriber | None
    ) -> Response:
        if result is ConfirmationResult.UNKNOWN or subscriber is None:
            raise HTTPException(404)
        if result is ConfirmationResult.EXPIRED:
            return self._page(request, "expired", 410, subscriber.language)
        token = self.context.link_signer.token(Purpose.PREFERENCES, subscriber.id)
        path = self._path(Purpose.PREFERENCES, token)
        return self._page(request, "confirmed", 200, subscriber.language, preferences=path)

    # --- unsubscribing

    async def show_unsubscribe(self, request: Request) -> Response:
        """Return a page with one button. Scanners that open links unsubscribe nobody."""
        token, parsed, subscriber = await self._read_link(request, Purpose.UNSUBSCRIBE)
        language = subscriber.language if subscriber else None
        if subscriber is None or subscriber.status is SubscriberStatus.UNSUBSCRIBED:
            return self._page(request, "unsubscribed", 200, language)
        preferences = self.context.link_signer.token(
            Purpose.PREFERENCES, parsed.subscriber, parsed.issue
        )
        return self._page(
            request,
            "unsubscribe",
            200,
            language,
            action=self._path(Purpose.UNSUBSCRIBE, token),
            preferences=self._path(Purpose.PREFERENCES, preferences),
        )

    async def unsubscribe(self, request: Request) -> Response:
        """Unsubscribe; a bare POST is enough and may be repeated (RFC 8058)."""
        form = await read_form(request)
        _, parsed, subscriber = await self._read_link(request, Purpose.UNSUBSCRIBE)
        one_click = _first(form, "List-Unsubscribe") == "One-Click"
        method = UnsubscribeMethod.ONE_CLICK if one_click else UnsubscribeMethod.PAGE
        await self.run_in_thread(
            subscriptions.unsubscribe, self.context, parsed, subscriber, method
        )
        return self._page(request, "unsubscribed", 200, subscriber.language if subscriber else None)

    # --- preferences

    async def show_preferences(self, request: Request) -> Response:
        """Return the form with topics and language as they are."""
        token, _, subscriber = await self._read_link(request, Purpose.PREFERENCES)
        if subscriber is None:
            raise HTTPException(404)
        if subscriber.status is not SubscriberStatus.CONFIRMED:
            return self._page(request, "unsubscribed", 200, subscriber.language)
        return self._preferences(request, token, subscriber)

    async def preferences(self, request: Request) -> Response:
        """Save topics and language, or unsubscribe."""
        form = await read_form(request)
        token, parsed, subscriber = await self._read_link(request, Purpose.PREFERENCES)
        if subscriber is None:
            raise HTTPException(404)
        if _first(form, "do") == "leave":
            await self.run_in_thread(
                subscriptions.unsubscribe,
                self.context,
                parsed,
                subscriber,
                UnsubscribeMethod.PREFERENCES,
            )
            return self._page(request, "unsubscribed", 200, subscriber.language)
        if subscriber.status is not SubscriberStatus.CONFIRMED:
            return self._page(request, "unsubscribed", 200, subscriber.language)
        known = self.context.settings.audience.topics
        chosen = set(form.get("topic", ()))
        # Topics that are not offered here (from a list, or no longer) stay as they are.
        topics = [topic for topic in known if topic in chosen]
        topics += [topic for topic in subscriber.topics if topic not in known]
        language = _choice(form, "language", subscriber.language)

        def save() -> Subscriber | None:
            subscribers.set_preferences(
                self.context.store,
                subscriber,
                language=language,
                topics=topics,
                now=self.context.clock(),
            )
            return subscribers.by_id(self.context.store, subscriber.id)

        saved = await self.run_in_thread(save)
        if saved is None:
            raise HTTPException(404)
        return self._preferences(request, token, saved, saved=True)

    def _preferences(
        self, request: Request, token: str, subscriber: Subscriber, *, saved: bool = False
    ) -> Response:
        return self._page(
            request,
            "preferences",
            200,
            subscriber.language,
            action=self._path(Purpose.PREFERENCES, token),
            topics=self.context.settings.audience.topics,
            chosen=subscriber.topics,
            saved=saved,
        )

    # --- helpers

    async def _read_link(
        self, request: Request, purpose: Purpose
    ) -> tuple[str, Token, Subscriber | None]:
        token = request.path_params["token"]
        link = await self.run_in_thread(subscriptions.read_link, self.context, purpose, token)
        if link is None:
            raise HTTPException(404)
        return token, *link

    def error_page(self, request: Request, view: str, status: int) -> HTMLResponse:
        """Return a page without anything personal."""
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
        chosen_language = language if language in LANGUAGES else self._language(request)
        html = self.pages.render(view, chosen_language, root=self._root, **values)
        return HTMLResponse(
            html, status, headers={"Content-Language": chosen_language, **(headers or {})}
        )

    @property
    def _root(self) -> str:
        """The path part of the public address, which links on the pages begin with."""
        return (
            "/" + "/".join(self.context.link_signer.public_url.split("/")[3:]).strip("/")
            if (self.context.link_signer.public_url.count("/") > 2)
            else ""
        )

    def _path(self, purpose: Purpose, token: str) -> str:
        return f"{self._root}/{purpose}/{token}"

    def _language(self, request: Request) -> str:
        """Return the language of ``?lang=``, else of Accept-Language, else of the publication."""
        parameter = request.query_params.get("lang", "")
        if parameter in LANGUAGES:
            return parameter
        for part in request.headers.get("accept-language", "").split(","):
            language = part.partition(";")[0].strip().lower().partition("-")[0]
            if language in LANGUAGES:
                return language
        return self.context.settings.publication.language


def _first(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _choice(form: dict[str, list[str]], name: str, default: str) -> str:
    value = _first(form, name)
    return value if value in LANGUAGES else default


# The page embeds the mail, whose styles are inline; it loads and runs nothing else.
_PREVIEW_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


async def show_preview(handlers: Handlers, request: Request) -> Response:
    """Return the page of a preview link; 404 for a token that is altered, foreign or expired."""
    token = request.path_params["token"]
    html = await handlers.run_in_thread(preview_html, handlers.context, token)
    if html is None:
        return handlers.error_page(request, "missing", 404)
    return HTMLResponse(html, headers=_PREVIEW_HEADERS)


# Made by models.archive_paths.hosted_name: the name is a hash of the content, so it never changes.
_NAME = re.compile(r"[0-9a-f]{32}\.(?:png|jpg|gif)\Z")
_IMAGE_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "cross-origin",  # web mail shows it on a page of its own
}


async def show_picture(handlers: Handlers, request: Request) -> Response:
    """Return a published picture; 404 for every other name."""
    path = await handlers.run_in_thread(
        _find, handlers.context.hosted_images_folder, request.path_params["name"]
    )
    if path is None:
        return handlers.error_page(request, "missing", 404)
    return FileResponse(path, headers=_IMAGE_HEADERS)


def _find(folder: Path, name: str) -> Path | None:
    path = folder / name
    return path if _NAME.match(name) and path.is_file() else None
