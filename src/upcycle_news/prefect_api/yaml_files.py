"""Reads prefect.yaml and files of automations as plain values."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import yaml


def load_yaml(text: str) -> Any:
    """Return the values of a document; raises `yaml.YAMLError`.

    By libyaml where PyYAML has it, ten times as fast. What it refuses is read in Python, for the words and the line
    of the error.
    """
    if yaml.__with_libyaml__:
        with suppress(yaml.YAMLError):
            return yaml.load(text, Loader=yaml.CSafeLoader)
    return yaml.safe_load(text)
