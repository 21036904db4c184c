"""The request handlers. A GET never changes anything: mail scanners follow links."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.resources import files
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from upcycle_news.api import App
from upcycle_news.api.subscribers import (
    ChangeAnswer,
    ChangeConfirmation,
    Confirmation,
    Preferences,
    SubscriberLink,
)
from upcycle_news.errors import AddressError
from upcycle_news.i18n.messages import LANGUAGES
from upcycle_news.models import (
    ConfirmationResult,
    EmailAddress,
    SubscriberStatus,
    UnsubscribeMethod,
)
from upcycle_news.models.digest import Rhythm
from upcycle_news.web.confirmation_mailer import ConfirmationMailer
from upcycle_news.web.cross_origin import CrossOrigin
from upcycle_news.web.rate_limit import NetworkRateLimit, read_form

T = TypeVar("T")

SIGNUP_SCRIPT = "signup.js"


@dataclass
class Handlers:
    """The handlers of one publication. The store is queried in threads: SQLite blocks."""

    app: App
    limit: NetworkRateLimit
    mailer: ConfirmationMailer
    cross_origin: CrossOrigin = field(default_factory=lambda: CrossOrigin(()))
    executor: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=8, thread_name_prefix="web")
    )

    def close(self) -> None:
        """Take no more work. Requests are over by now; what a thread still does ends with the process."""
        self.executor.shutdown(wait=False, cancel_futures=True)

    async def run_in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run a blocking function outside of the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, work, *arguments)

    # --- sign-up

    async def show_subscribe(self, request: Request) -> Response:
        """Return the sign-up form."""
        return self._signup_page(request)

    def _signup_page(
        self,
        request: Request,
        status: int = 200,
        language: str | None = None,
        *,
        chosen: Collection[str] = (),
        rhythm: Rhythm | None = None,
        error: str = "",
    ) -> Response:
        language = language or self._language(request)
        return self._page(
            request,
            "subscribe",
            status,
            language,
            topics=tuple(self.app.subscribers.topic_labels(language)),
            chosen=chosen,
            interval=self.app.settings.digest.interval,
            chosen_rhythm=rhythm,
            error=error,
        )

    async def subscribe(self, request: Request) -> Response:
        """Take a sign-up; the response is the same for known and unknown addresses."""
        form = _whole(await read_form(request))
        language = _choice(form, "language", self._language(request))
        wants_json = "application/json" in request.headers.get("accept", "")
        if not self.limit.allows(request.client.host if request.client else ""):
            return self._page(request, "too_many", 429, language, headers={"Retry-After": "3600"})
        try:
            email = EmailAddress.parse(_first(form, "email"))
        except AddressError:
            if wants_json:
                return JSONResponse({"ok": False, "error": "email"}, 422)
            chosen = form.get("topic", ())
            return self._signup_page(
                request,
                422,
                language,
                chosen=chosen,
                rhythm=_rhythm(form),
                error="page_bad_address",
            )
        minutes = 0
        if not _first(form, "website"):  # a honeypot field: people do not see it and leave it empty
            choices: dict[str, Any] = {
                "language": language,
                # A form that asks for topics sends an empty one as well: none is then a choice, too.
                "topics": form.get("topic"),
                "rhythm": _rhythm(form),
                "wording": _first(form, "wording"),
                "ip": request.client.host if request.client else "",
            }
            if origin := self.cross_origin.origin(request):
                choices["source"] = f"web: {origin}"
            minutes = await self.run_in_thread(self._sign_up, email, choices)
        if wants_json:
            return JSONResponse({"ok": True, "minutes": minutes} if minutes else {"ok": True})
        days = self.app.settings.audience.confirm_days
        return self._page(request, "asked", 200, language, days=days, minutes=minutes)

    def _sign_up(self, email: EmailAddress, choices: Mapping[str, Any]) -> int:
        """Store a sign-up; returns how many minutes its mail may have to wait, whoever it is."""
        delay = self.app.subscribers.count_request(email)
        if self.app.subscribers.sign_up(email, **choices) is not None:
            self.mailer.wake()
        return _minutes(delay)

    async def show_confirm(self, request: Request) -> Response:
        """Return a page with one button. Scanners that open links confirm nothing."""
        token = request.path_params["token"]
        confirmation = await self.run_in_thread(self.app.subscribers.read_confirmation, token)
        subscriber = confirmation.subscriber
        if confirmation.result is ConfirmationResult.NOW and subscriber is not None:
            path = self._path("confirm", token)
            return self._page(
                request,
                "confirm",
                200,
                subscriber.language,
                action=path,
                chosen_rhythm=confirmation.chosen_rhythm,
                interval=self.app.settings.digest.interval,
            )
        return self._confirmation_page(request, confirmation)

    async def confirm(self, request: Request) -> Response:
        """Confirm the subscription: from now on the consent is valid."""
        _whole(await read_form(request))
        token = request.path_params["token"]
        confirmation = await self.run_in_thread(self.app.subscribers.confirm, token)
        return self._confirmation_page(request, confirmation)

    def _confirmation_page(self, request: Request, confirmation: Confirmation) -> Response:
        subscriber = confirmation.subscriber
        if confirmation.result is ConfirmationResult.UNKNOWN or subscriber is None:
            raise HTTPException(404)
        if confirmation.result is ConfirmationResult.EXPIRED:
            return self._page(request, "expired", 410, subscriber.language)
        path = self._path("preferences", confirmation.preferences_token)
        return self._page(
            request,
            "confirmed",
            200,
            subscriber.language,
            preferences=path,
            rhythm=confirmation.rhythm,
        )

    # --- unsubscribing

    async def show_unsubscribe(self, request: Request) -> Response:
        """Return a page with one button. Scanners that open links unsubscribe nobody."""
        token = request.path_params["token"]
        link = _known(await self.run_in_thread(self.app.subscribers.read_unsubscribe_link, token))
        subscriber = link.subscriber
        if subscriber is None or subscriber.status is SubscriberStatus.UNSUBSCRIBED:
            return self._unsubscribed_page(request, link)
        return self._page(
            request,
            "unsubscribe",
            200,
            subscriber.language,
            action=self._path("unsubscribe", token),
            preferences=self._path("preferences", link.preferences_token),
        )

    async def unsubscribe(self, request: Request) -> Response:
        """Unsubscribe; a bare POST is enough and may be repeated (RFC 8058)."""
        form = await read_form(request) or {}  # leaving is sure, even if the rest of it is missing
        one_click = _first(form, "List-Unsubscribe") == "One-Click"
        method = UnsubscribeMethod.ONE_CLICK if one_click else UnsubscribeMethod.PAGE
        return await self._unsubscribe(request, method)

    async def _unsubscribe(self, request: Request, method: UnsubscribeMethod) -> Response:
        unsubscribe, token = self.app.subscribers.unsubscribe_by_token, request.path_params["token"]
        link = _known(await self.run_in_thread(unsubscribe, token, method))
        return self._unsubscribed_page(request, link)

    def _unsubscribed_page(self, request: Request, link: SubscriberLink) -> Response:
        language = link.subscriber.language if link.subscriber else None
        return self._page(request, "unsubscribed", 200, language)

    # --- preferences

    async def show_preferences(self, request: Request) -> Response:
        """Return the form with topics, rhythm and language as they are."""
        token = request.path_params["token"]
        preferences = await self.run_in_thread(self.app.subscribers.preferences, token)
        return self._preferences_page(request, _known(preferences))

    async def preferences(self, request: Request) -> Response:
        """Save topics, rhythm and language, ask for another address or cancel that, or unsubscribe."""
        form = _whole(await read_form(request))
        token = request.path_params["token"]
        if _first(form, "do") == "address":
            return await self._request_address(request, _first(form, "address"))
        if _first(form, "do") == "keep":
            _known(await self.run_in_thread(self.app.subscribers.cancel_address_change, token))
            return await self._preferences_again(request, notice="page_address_kept")
        if _first(form, "do") == "leave":
            # Not to the page of an erased subscriber: there are no preferences of theirs.
            _known(await self.run_in_thread(self.app.subscribers.preferences, token))
            return await self._unsubscribe(request, UnsubscribeMethod.PREFERENCES)

        def save() -> Preferences | None:
            return self.app.subscribers.change_preferences(
                token,
                language=_first(form, "language"),
                topics=form.get("topic", ()),
                rhythm=_rhythm(form),
            )

        return self._preferences_page(request, _known(await self.run_in_thread(save)), saved=True)

    async def _preferences_again(
        self, request: Request, status: int = 200, **values: Any
    ) -> Response:
        token = request.path_params["token"]
        preferences = await self.run_in_thread(self.app.subscribers.preferences, token)
        return self._preferences_page(request, _known(preferences), status, **values)

    def _preferences_page(
        self, request: Request, preferences: Preferences, status: int = 200, **values: Any
    ) -> Response:
        subscriber = preferences.subscriber
        if subscriber.status is not SubscriberStatus.CONFIRMED:
            return self._page(request, "unsubscribed", 200, subscriber.language)
        return self._page(
            request,
            "preferences",
            status,
            subscriber.language,
            action=self._path("preferences", request.path_params["token"]),
            topics=preferences.offered,
            chosen=subscriber.topics,
            rhythm=preferences.rhythm,
            change_waiting=preferences.change_waiting,
            **values,
        )

    # --- another address

    async def _request_address(self, request: Request, text: str) -> Response:
        """Ask a new address to confirm; the response is the same for known and unknown ones."""
        token = request.path_params["token"]
        preferences = await self.run_in_thread(self.app.subscribers.preferences, token)
        language = _known(preferences).subscriber.language
        if not self.limit.allows(request.client.host if request.client else ""):
            return self._page(request, "too_many", 429, language, headers={"Retry-After": "3600"})
        try:
            email = EmailAddress.parse(text)
        except AddressError:
            return await self._preferences_again(request, 422, error="page_bad_address")
        answer, minutes = await self.run_in_thread(self._store_change, token, email)
        if answer is ChangeAnswer.TOO_MANY:
            return await self._preferences_again(request, 429, error="page_address_too_many")
        if answer is None:
            return await self._preferences_again(request)
        days = self.app.settings.audience.confirm_days
        path = self._path("preferences", token)
        return self._page(
            request, "address_asked", 200, language, days=days, minutes=minutes, preferences=path
        )

    def _store_change(self, token: str, email: EmailAddress) -> tuple[ChangeAnswer | None, int]:
        delay = self.app.subscribers.count_request(email)
        answer = self.app.subscribers.request_address_change(token, email)
        if answer is ChangeAnswer.ASKED:
            self.mailer.wake()
        return answer, _minutes(delay)

    async def show_address(self, request: Request) -> Response:
        """Return a page with one button. Scanners that open links change nothing."""
        token = request.path_params["token"]
        change = await self.run_in_thread(self.app.subscribers.read_address_change, token)
        if change.result is ConfirmationResult.NOW and change.subscriber is not None:
            path = self._path("address", token)
            return self._page(request, "address", 200, change.subscriber.language, action=path)
        return self._address_page(request, change)

    async def address(self, request: Request) -> Response:
        """Give the subscriber the new address."""
        _whole(await read_form(request))
        token = request.path_params["token"]
        change = await self.run_in_thread(self.app.subscribers.confirm_address_change, token)
        if change.result is ConfirmationResult.NOW:
            self.mailer.wake()  # the old address is told
        return self._address_page(request, change)

    def _address_page(self, request: Request, change: ChangeConfirmation) -> Response:
        subscriber = change.subscriber
        if change.result is ConfirmationResult.UNKNOWN or subscriber is None:
            raise HTTPException(404)
        if change.result is ConfirmationResult.EXPIRED:
            return self._page(request, "address_expired", 410, subscriber.language)
        if change.result is ConfirmationResult.REFUSED:
            return self._page(request, "address_refused", 409, subscriber.language)
        path = self._path("preferences", change.preferences_token)
        return self._page(request, "address_changed", 200, subscriber.language, preferences=path)

    # --- helpers

    def error_page(self, request: Request, view: str, status: int) -> HTMLResponse:
        """Return a page without anything personal."""
        return self._page(request, view, status)

    def page(
        self,
        view: str,
        language: str,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Return a page in a language, in the publication's where it is none of those of the pages."""
        chosen = language if language in LANGUAGES else self.app.language
        html = self.app.pages.render(view, chosen, **values)
        return HTMLResponse(html, status, headers={"Content-Language": chosen, **(headers or {})})

    def _page(
        self,
        request: Request,
        view: str,
        status: int = 200,
        language: str | None = None,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        chosen = language if language in LANGUAGES else self._language(request)
        return self.page(view, chosen, status, headers, **values)

    def _path(self, purpose: str, token: str) -> str:
        return f"{self.app.pages.root}/{purpose}/{token}"

    def _language(self, request: Request) -> str:
        """Return the language of ``?lang=``, else of Accept-Language, else of the publication."""
        parameter = request.query_params.get("lang", "")
        if parameter in LANGUAGES:
            return parameter
        for part in request.headers.get("accept-language", "").split(","):
            language = part.partition(";")[0].strip().lower().partition("-")[0]
            if language in LANGUAGES:
                return language
        return self.app.language


def _known(value: T | None) -> T:
    """Return what a token opens; 404 for a token that opens nothing."""
    if value is None:
        raise HTTPException(404)
    return value


def _whole(form: dict[str, list[str]] | None) -> dict[str, list[str]]:
    """Return a form that arrived whole; 400 for one that was cut off, which changes nothing."""
    if form is None:
        raise HTTPException(400)
    return form


def _minutes(delay: timedelta) -> int:
    """Return a delay for people: in steps of five minutes, rounded up."""
    return 5 * math.ceil(delay.total_seconds() / 300)


def _first(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _rhythm(form: dict[str, list[str]]) -> Rhythm | None:
    """Return the rhythm that was chosen; None for a form that does not ask, and for none that we know."""
    value = _first(form, "rhythm")
    return Rhythm(value) if value in list(Rhythm) else None


def _choice(form: dict[str, list[str]], name: str, default: str) -> str:
    value = _first(form, name)
    return value if value in LANGUAGES else default


# A preview embeds the mail, whose styles are inline; these pages load and run nothing else.
_LINKED_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


async def show_preview(handlers: Handlers, request: Request) -> Response:
    """Return the page of a preview link; 404 for a token that is altered, foreign or expired."""
    written = request.query_params.get("variant", "")
    variant = int(written) if re.fullmatch(r"[0-9]{1,4}", written) else 0
    return await _show_linked(
        handlers, request, lambda token: handlers.app.issues.linked_preview(token, variant)
    )


async def show_report(handlers: Handlers, request: Request) -> Response:
    """Return the report page of a link; 404 for a token that is altered, foreign or expired."""
    # A lambda: the group is made in the thread, and with the first link only.
    return await _show_linked(
        handlers, request, lambda token: handlers.app.monitoring.linked_report(token)
    )


async def _show_linked(
    handlers: Handlers, request: Request, page_of: Callable[[str], str | None]
) -> Response:
    html = await handlers.run_in_thread(page_of, request.path_params["token"])
    if html is None:
        return handlers.error_page(request, "missing", 404)
    return HTMLResponse(html, headers=_LINKED_HEADERS)


_SCRIPT_HEADERS = {
    "Content-Type": "text/javascript; charset=utf-8",
    "Cache-Control": "public, max-age=3600",
    "Cross-Origin-Resource-Policy": "cross-origin",  # it is there for the pages of others
}


def signup_script() -> Response:
    """Return the script that sends the sign-up form of another site without leaving its page."""
    script = (files("upcycle_news.web") / SIGNUP_SCRIPT).read_bytes()
    return Response(script, headers=_SCRIPT_HEADERS)


# Made by models.archive_paths.hosted_name: the name is a hash of the content, so it never changes.
_NAME = re.compile(r"[0-9a-f]{32}\.(?:png|jpg|gif)\Z")
_IMAGE_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "cross-origin",  # web mail shows it on a page of its own
}


async def show_picture(handlers: Handlers, request: Request) -> Response:
    """Return a published picture; 404 for every other name."""
    name = request.path_params["name"]
    if not _NAME.match(name):
        return handlers.error_page(request, "missing", 404)
    path = await handlers.run_in_thread(handlers.app.archive.file, f"images/{name}")
    if path is None:
        return handlers.error_page(request, "missing", 404)
    return FileResponse(path, headers=_IMAGE_HEADERS)
