"""Prefect's own pages in Chromium, used as an editor uses them: forms, buttons, menus."""

from __future__ import annotations

import json
from typing import Any

from ..waiting import wait_until
from ..web.browser_session import Page
from .prefect_server import PrefectServer

_BUTTON = "[...document.querySelectorAll('%s button')].find(b => b.innerText.trim() === %s)"
_FIELD = (
    "[...document.querySelectorAll('.p-label')]"
    ".find(l => l.innerText.trim().startsWith(%s))?.querySelector('textarea, input, select')"
)
_MENU = "document.querySelector('button.p-button--outline.h-10.w-10')"
_MENU_ITEM = (
    "[...document.querySelectorAll('.p-overflow-menu-item, [role=menuitem]')]"
    ".find(item => item.innerText.trim() === %s)"
)


class PrefectPages:
    """One tab with the pages of a server."""

    def __init__(self, server: PrefectServer, page: Page) -> None:
        self.server, self.page = server, page
        self._base = f"http://127.0.0.1:{server.port}"

    def open(self, path: str) -> None:
        self.page.open(self._base + path)

    def open_run(self, run: str) -> None:
        self.open(f"/runs/flow-run/{run}")

    def start_custom_run(self, deployment: str) -> str:
        """Submit the form of a custom run as it is; return the id of the run."""
        number = self.server.request("GET", f"/deployments/name/{deployment}")["id"]
        before = self._runs(number)
        self.open(f"/deployments/deployment/{number}/run")
        self.press("Submit")
        new: list[str] = []

        def is_there() -> bool:
            new[:] = sorted(self._runs(number) - before)
            return bool(new)

        wait_until(is_there, "the form started no run", seconds=120)
        return new[0]

    def _runs(self, deployment: str) -> set[str]:
        """Return the runs that somebody started: the schedule plans others at any time."""
        body = {"deployments": {"id": {"any_": [deployment]}}}
        runs = self.server.request("POST", "/flow_runs/filter", body)
        return {run["id"] for run in runs if not run["auto_scheduled"]}

    def open_form(self, run: str) -> str:
        """Open the form of a run that waits; return what can be read in it."""
        self.open_run(run)
        self.press("Resume")
        self.wait(f"!!({_FIELD % json.dumps('Name')})")
        return str(self.page.run("document.querySelector('.p-modal__body').innerText"))

    def answer(self, decision: str, **fields: str) -> None:
        """Fill in the open form, fields by their titles, and submit it."""
        chosen = json.dumps(decision)

        def submitted() -> bool:
            # Prefect's page may draw the form anew while it loads, and the choice is lost: choose again.
            if not self.page.run("!!document.querySelector('.p-modal__body select')"):
                return True
            self.page.run(
                "(select => { for (const event of ['input', 'change']) {"
                f"select.value = {chosen}; select.dispatchEvent(new Event(event, {{bubbles: true}})) }} }})"
                "(document.querySelector('.p-modal__body select'))"
            )
            self.fill_in(**fields)
            self.press("Submit", inside=".p-modal")
            return False

        wait_until(
            submitted,
            lambda: f"the form was not taken: {self.page.run('document.body.innerText')}",
            seconds=60,
            interval=5,
        )

    def fill_in(self, **fields: str) -> None:
        """Write texts into the open form, by the titles of its fields."""
        for title, text in fields.items():
            field = _FIELD % json.dumps(title)
            self.page.run(f"(field => {{ field.focus(); field.select() }})({field})")
            self.page.ask("Input.insertText", text=text)

    def cancel(self, run: str) -> None:
        """Press the red button of a run, and confirm."""
        self.open_run(run)
        self.press("Cancel")
        self.press("Confirm", inside=".p-modal")

    def delete(self, run: str) -> None:
        """Delete a run with its menu, and confirm."""
        self.open_run(run)
        self.click(_MENU)
        self.click(_MENU_ITEM % json.dumps("Delete"))
        self.press("Delete", inside=".p-modal")

    def press(self, text: str, *, inside: str = "body") -> None:
        """Click the button with this text as soon as it can be clicked."""
        self.click(_BUTTON % (inside, json.dumps(text)))

    def click(self, element: str) -> None:
        """Click in the middle of an element (a JavaScript expression) as soon as it stands still there."""
        place = (
            f"(e => {{ if (!e || e.disabled) return null; e.scrollIntoView({{block: 'center'}});"
            "const r = e.getBoundingClientRect();"
            "const x = r.x + r.width / 2, y = r.y + r.height / 2;"
            "return e.contains(document.elementFromPoint(x, y)) ? [x, y] : null; })"
            f"({element})"
        )
        places: list[Any] = [None]

        def stands() -> bool:
            places.append(self.page.run(place))
            return places[-1] is not None and places[-1] == places[-2]

        wait_until(stands, f"nothing to click: {element}", seconds=60, interval=0.2)
        x, y = places[-1]
        for kind in ("mousePressed", "mouseReleased"):
            self.page.ask(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript expression is true on the page."""
        wait_until(
            lambda: bool(self.page.run(condition)),
            f"never true: {condition}",
            seconds=60,
            interval=0.2,
        )
