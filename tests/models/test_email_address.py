"""An address is what email-validator makes of it, whichever way it was read."""

from __future__ import annotations

import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from upcycle_news.errors import AddressError
from upcycle_news.models import EmailAddress

LOCALS = st.one_of(
    st.text("abcXYZ019_+-.", min_size=0, max_size=70),
    st.text(min_size=0, max_size=12),
    st.sampled_from(["postmaster", "Postmaster", "INFO", '"a b"', "anna.müller", "a..b", ".a"]),
)
DOMAINS = st.one_of(
    st.sampled_from(
        ["example.org", "EXAMPLE.org", "müller.example", "example", "a_b.example.org", "-a.example.org",
         "mail.local", "here.onion", "a.test", "1.arpa", "a.b1", "ab--c.example", "[127.0.0.1]", "example.org.", "xn--mller-kva.example", "a" * 63 + ".example.org"]
    ),
    st.text("ab.-ü@ ", min_size=0, max_size=30),
    st.text("ab1.-", min_size=3, max_size=12).map(lambda text: text + ".example"),
    st.sampled_from(SPECIAL_USE_DOMAIN_NAMES).map("mail.{}".format),
    st.integers(1, 4).map(lambda n: ".".join(["a" * 60] * n) + ".example"),
)  # fmt: skip


def read_by_the_library(text: str) -> str | None:
    try:
        found = validate_email(text.strip(" \t"), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return f"{found.local_part}@{found.ascii_domain}"


@given(LOCALS, DOMAINS)
@example("Postmaster", "Example.org")
@example("a" * 64, ".".join(["b" * 60] * 3) + ".example")
@example("a", "ü" * 50 + ".example")
def test_every_address_is_read_as_the_library_reads_it(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    wanted = read_by_the_library(text)
    if wanted is None:
        with pytest.raises(AddressError) as refused:
            EmailAddress.parse(text)
        assert not local or len(local) < 4 or local not in str(refused.value)
    else:
        assert EmailAddress.parse(text).address == wanted
