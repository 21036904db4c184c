"""Structured logging: an event's name and values (issue, relay, state, counts), never an address.

Everything goes through the standard library's loggers, so that a program which uses this package,
and Prefect with its own handlers, receive it too. structlog formats the lines, and is imported with
the first one: a command that logs nothing does not pay for it.
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

_PACKAGE = "upcycle_news"
_EVENT, _VALUES, _RAISED = "upcycle_event", "upcycle_values", "upcycle_raised"
_lock = threading.Lock()


class Log:
    """A logger of events; one for each module: ``log = Log(__name__)``."""

    def __init__(self, name: str) -> None:
        """`name` is the module's."""
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **values: Any) -> None:
        """Log details for debugging."""
        self._log(logging.DEBUG, event, values)

    def info(self, event: str, /, **values: Any) -> None:
        """Log what happens in normal operation."""
        self._log(logging.INFO, event, values)

    def warning(self, event: str, /, **values: Any) -> None:
        """Log a problem that does not stop the work."""
        self._log(logging.WARNING, event, values)

    def error(self, event: str, /, **values: Any) -> None:
        """Log a failure."""
        self._log(logging.ERROR, event, values)

    def raised(self, event: str, /, **values: Any) -> None:
        """Log a failure that is also raised: on a terminal only the exception's sentence is shown."""
        self._log(logging.ERROR, event, values, raised=True)

    def _log(self, level: int, event: str, values: dict[str, Any], *, raised: bool = False) -> None:
        if not self._logger.isEnabledFor(level):
            return
        clean = {name: redact_value(value) for name, value in values.items()}
        # The whole line for other handlers, the event and its values for ours.
        line = " ".join([redact(event), *(f"{name}={value}" for name, value in clean.items())])
        extra = {_EVENT: event, _VALUES: clean, _RAISED: raised}
        self._logger.log(level, "%s", line, extra=extra, stacklevel=3)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever `sys.stderr` is when a record is emitted."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class _StructlogFormatter(logging.Formatter):
    """Creates structlog's formatter with the first record."""

    def __init__(self, kind: Format, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self._kind, self._secrets = kind, secrets
        self._made: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._made is None:
            self._made = _structlog_formatter(self._kind, self._secrets)
        return self._made.format(record)


def configure_logging(kind: Format, level: str, secrets: Iterable[str] = ()) -> None:
    """Send all log records to standard error from now on; may be called again at any time.

    `level` is a lower-case name; libraries log from `warning` on, except uvicorn. Where Prefect has
    set up logging its handlers stay, and ours takes this package's events only.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    root, ours = logging.getLogger(), logging.getLogger(_PACKAGE)
    beside_prefect = any(
        type(handler).__module__.startswith("prefect.") for handler in root.handlers
    )
    with _lock:
        for logger in (root, ours):
            for handler in [
                handler for handler in logger.handlers if isinstance(handler, _StderrHandler)
            ]:
                logger.removeHandler(handler)
        handler = _StderrHandler()
        handler.setFormatter(_StructlogFormatter(kind, tuple(secrets)))
        if kind == "text" and not beside_prefect:
            handler.addFilter(lambda record: not getattr(record, _RAISED, False))
        (ours if beside_prefect else root).addHandler(handler)
        ours.propagate = not beside_prefect
        if not beside_prefect:
            root.setLevel(max(number, logging.WARNING))
        for name in (_PACKAGE, "uvicorn"):
            logging.getLogger(name).setLevel(number)


def _structlog_formatter(kind: Format, secrets: tuple[str, ...]) -> logging.Formatter:
    from structlog.dev import ConsoleRenderer, plain_traceback
    from structlog.processors import JSONRenderer, format_exc_info
    from structlog.stdlib import ProcessorFormatter, add_log_level, add_logger_name

    def clean(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        structlog_keys = {
            name: event[name] for name in ("_record", "_from_structlog") if name in event
        }
        values = {name: value for name, value in event.items() if name not in structlog_keys}
        return {
            **{name: _single_line(name, redact_value(values[name], secrets)) for name in values},
            **structlog_keys,
        }

    chain: list[Callable[..., Any]] = [
        add_log_level,
        add_logger_name,
        _event_fields,
        format_exc_info,
    ]
    text = ConsoleRenderer(
        colors=False, exception_formatter=plain_traceback, pad_event_to=0, pad_level=False
    )
    renderer: Any = text if kind == "text" else JSONRenderer(ensure_ascii=False)
    return ProcessorFormatter(
        processors=[*chain, clean, ProcessorFormatter.remove_processors_meta, renderer]
    )


def _event_fields(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add a record's timestamp, event, values and Prefect flow run to the event dictionary."""
    record: logging.LogRecord = event["_record"]
    event["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat(
        timespec="milliseconds"
    )
    event["event"] = getattr(record, _EVENT, event["event"])
    if run := os.environ.get("PREFECT__FLOW_RUN_ID"):
        event["run"] = run
    event.update(
        # Values do not overwrite these standard keys.
        {
            name if name not in event else f"{name}_": value
            for name, value in getattr(record, _VALUES, {}).items()
        }
    )
    return event


def _single_line(name: str, value: Any) -> Any:
    """Replace line breaks and control characters in a value; tracebacks keep their lines."""
    if not isinstance(value, str) or value.isprintable():
        return value
    allowed = "\n" if name in ("exception", "stack") else ""
    return "".join(char if char.isprintable() or char == allowed else " " for char in value).strip()
