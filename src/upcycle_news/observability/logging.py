"""Events for operators: an event's name and values (issue, relay, state, counts), never an address.

Everything goes through the standard library's loggers, so that a program which uses this package,
and Prefect with its own handlers, see it too. structlog writes the lines, and is loaded with the
first one: a command that has nothing to tell does not pay for it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from upcycle_news.observability.redaction import redact, redact_value

Format = Literal["text", "json"]

_OURS = "upcycle_news"
_EVENT, _VALUES, _RAISED = "upcycle_event", "upcycle_values", "upcycle_raised"
_lock = threading.Lock()


class Log:
    """A logger of events; make one a module: ``log = Log(__name__)``."""

    def __init__(self, name: str) -> None:
        """`name` is the module's."""
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **values: Any) -> None:
        """What only somebody who looks for a fault wants to know."""
        self._tell(logging.DEBUG, event, values)

    def info(self, event: str, /, **values: Any) -> None:
        """What an operator finds worth a line on a good day."""
        self._tell(logging.INFO, event, values)

    def warning(self, event: str, /, **values: Any) -> None:
        """What somebody should look at, while everything goes on."""
        self._tell(logging.WARNING, event, values)

    def error(self, event: str, /, **values: Any) -> None:
        """What did not happen."""
        self._tell(logging.ERROR, event, values)

    def raised(self, event: str, /, **values: Any) -> None:
        """What did not happen, and is raised as well: a person reads the sentence, and only that."""
        self._tell(logging.ERROR, event, values, raised=True)

    def _tell(
        self, level: int, event: str, values: dict[str, Any], *, raised: bool = False
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        clean = {name: redact_value(value) for name, value in values.items()}
        # The whole sentence for others' handlers, its parts for ours.
        line = " ".join([redact(event), *(f"{name}={value}" for name, value in clean.items())])
        extra = {_EVENT: event, _VALUES: clean, _RAISED: raised}
        self._logger.log(level, "%s", line, extra=extra, stacklevel=3)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class _Lines(logging.Formatter):
    """structlog's formatter, made when the first line is to be written."""

    def __init__(self, kind: Format, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._kind, self._secrets = kind, secrets
        self._made: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._made is None:
            self._made = _structlog_formatter(self._kind, self._secrets)
        return self._made.format(record)


def configure_logging(kind: Format, level: str, secrets: Iterable[str] = ()) -> None:
    """Write everybody's lines to standard error from now on; may be called again at any time.

    `level` is a lower-case name; libraries below `warning` stay silent, uvicorn aside. Where Prefect
    has set up logging its handlers stay, and ours takes this package's events only.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    root, ours = logging.getLogger(), logging.getLogger(_OURS)
    beside_prefect = any(type(one).__module__.startswith("prefect.") for one in root.handlers)
    with _lock:
        for logger in (root, ours):
            for handler in [one for one in logger.handlers if isinstance(one, _Handler)]:
                logger.removeHandler(handler)
        handler = _Handler()
        handler.setFormatter(_Lines(kind, tuple(secrets)))
        if kind == "text" and not beside_prefect:
            handler.addFilter(lambda record: not getattr(record, _RAISED, False))
        (ours if beside_prefect else root).addHandler(handler)
        ours.propagate = not beside_prefect
        if not beside_prefect:
            root.setLevel(max(number, logging.WARNING))
        for name in (_OURS, "uvicorn"):
            logging.getLogger(name).setLevel(number)


def _structlog_formatter(kind: Format, secrets: tuple[str, ...]) -> logging.Formatter:
    from structlog.dev import ConsoleRenderer, plain_traceback
    from structlog.processors import JSONRenderer, format_exc_info
    from structlog.stdlib import ProcessorFormatter, add_log_level, add_logger_name

    def clean(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        kept = {name: event[name] for name in ("_record", "_from_structlog") if name in event}
        told = {name: value for name, value in event.items() if name not in kept}
        return {**{name: _lines(name, redact_value(told[name], secrets)) for name in told}, **kept}

    chain: list[Callable[..., Any]] = [add_log_level, add_logger_name, _parts, format_exc_info]
    text = ConsoleRenderer(
        colors=False, exception_formatter=plain_traceback, pad_event_to=0, pad_level=False
    )
    renderer: Any = text if kind == "text" else JSONRenderer(ensure_ascii=False)
    return ProcessorFormatter(
        processors=[*chain, clean, ProcessorFormatter.remove_processors_meta, renderer]
    )


def _parts(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The moment, the event and its values out of a record; the run of Prefect it belongs to."""
    record: logging.LogRecord = event["_record"]
    event["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat(
        timespec="milliseconds"
    )
    event["event"] = getattr(record, _EVENT, event["event"])
    if run := os.environ.get("PREFECT__FLOW_RUN_ID"):
        event["run"] = run
    event.update(
        # An event's own words do not take the places of ours.
        {
            name if name not in event else f"{name}_": value
            for name, value in getattr(record, _VALUES, {}).items()
        }
    )
    return event


def _lines(name: str, value: Any) -> Any:
    """No value begins a line of its own, or colours the terminal; tracebacks keep their lines."""
    if not isinstance(value, str) or value.isprintable():
        return value
    kept = "\n" if name in ("exception", "stack") else ""
    return "".join(char if char.isprintable() or char == kept else " " for char in value).strip()
