"""The name of a topic of Amazon SNS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

_ARN = re.compile(
    r"arn:aws:sns:([a-z]{2}(?:-[a-z]{2,12}){1,2}-\d{1,2}):\d{12}:[A-Za-z0-9_-]{1,256}"
)


@dataclass(frozen=True)
class SnsTopic:
    """A topic by its whole name, the ARN, with the region that is part of it."""

    arn: str
    region: str

    @classmethod
    def parse(cls, arn: str) -> Self:
        """Read ``arn:aws:sns:eu-central-1:123456789012:name``; raises `UpcycleError` for anything else.

        FIFO topics are none that SES may publish to.
        """
        match = _ARN.fullmatch(arn)
        if match is None:
            raise UpcycleError(localized("value-topic-arn"))
        return cls(arn, match[1])

    @property
    def host_address(self) -> str:
        """The address of SNS in this region, with the final slash."""
        return f"https://sns.{self.region}.amazonaws.com/"
