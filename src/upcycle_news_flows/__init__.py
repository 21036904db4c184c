"""The flows that come with the program, by name: `upcycle_news_flows.publish_issue`.

They are the files of `flows/`, in a checkout and in an installed wheel alike; prefect.yaml names them
so, and whoever upgrades the package has upgraded them.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, NoReturn, get_type_hints

from upcycle_news.api.publications import bundled_publication, publication_language
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

__path__ = [str(bundled_publication() / "flows")]


def failing_with_a_sentence(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a flow that an error of ours ends fail with its sentence, as the state's message.

    Prefect would put words of its own, in English, before it. What nobody raised on purpose stays Prefect's.
    """

    @wraps(function)  # Prefect reads the signature and the docstring behind it
    def run(*arguments: Any, **parameters: Any) -> Any:
        from prefect.states import Failed

        try:
            return function(*arguments, **parameters)
        except UpcycleError as error:
            return Failed(message=str(error))

    # Prefect would look for the names of annotations in this module.
    run.__annotations__ = get_type_hints(function, include_extras=True)
    run.__signature__ = inspect.signature(function, eval_str=True)  # type: ignore[attr-defined]
    return run


def run_by_hand(flow: Any, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a Prefect flow for the command line, and exit; the last line of output is its result.

    The argument (default: that of the program) is a JSON object of parameters, the result
    ``{"state": name, "message": sentence}``. Exit code 0 when the run completed, 1 when it did not,
    2 for parameters that the flow does not take: then a sentence says which, and nothing was run.
    """
    texts = sys.argv[1:] if arguments is None else arguments
    try:
        parameters = read_parameters(flow.fn, texts)
    except ValueError as error:
        print(f"{flow.name}: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    with _a_server():
        state = flow(**parameters, return_state=True)
    print(json.dumps({"state": state.name, "message": state.message}))  # noqa: T201
    sys.exit(0 if state.is_completed() else 1)


@contextmanager
def _a_server() -> Iterator[None]:
    """Let the flow have a temporary server where no server's address is known, and say so.

    prefect.toml forbids it to Prefect's own commands, which would write where no server reads.
    """
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_SERVER_EPHEMERAL_ENABLED,
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
        temporary_settings,
    )

    if PREFECT_API_URL.value():
        yield
        return
    print(localized("flow-temporary-server").in_language(publication_language()), file=sys.stderr)  # noqa: T201
    with temporary_settings(
        {
            PREFECT_SERVER_EPHEMERAL_ENABLED: True,
            PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,
        }
    ):
        yield


def read_parameters(function: Any, texts: Sequence[str]) -> dict[str, Any]:
    """Return the parameters in at most one JSON object; raises `ValueError` with a sentence."""
    from pydantic import TypeAdapter, ValidationError

    if len(texts) > 1:
        raise ValueError("parameters are one JSON object, in quotes")
    try:
        parameters = json.loads(texts[0]) if texts else {}
    except ValueError as error:
        raise ValueError(f"the parameters are not JSON ({error})") from None
    if not isinstance(parameters, dict):
        raise ValueError("parameters are a JSON object, such as '{\"dry_run\": true}'")
    known = inspect.signature(function).parameters
    types = get_type_hints(function, include_extras=True)
    for name, value in parameters.items():
        if name not in known:
            names = ", ".join(known) or "it takes none"
            raise ValueError(f"there is no parameter {name[:60]!r}: {names}")
        try:
            TypeAdapter(types[name]).validate_python(value)
        except ValidationError as error:
            raise ValueError(f"parameter {name!r}: {error.errors()[0]['msg']}") from None
    required = {name for name, entry in known.items() if entry.default is entry.empty}
    if missing := sorted(required - parameters.keys()):
        raise ValueError(f"these parameters are needed: {', '.join(missing)}")
    return parameters
