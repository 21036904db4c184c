from __future__ import annotations

import base64
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.errors import UpcycleError
from upcycle_news.subscribers.link_tokens import (
    LinkSigner,
    Purpose,
    Token,
    possible_tokens,
    preview_token,
    read_preview_token,
    trimmed,
)
from upcycle_news.subscribers.signing_keys import KeyRing, add_key, load_or_create_keys

from ..fork_server import ForkedPython

KEY, OTHER = b"k" * 32, b"o" * 32
SIGNER = LinkSigner({1: KEY}, "https://umbaupost.example.net")

purposes = st.sampled_from(list(Purpose))
TAILS = (
    ".",
    ")",
    ">",
    "=",
    "/",
    "…",
    ",",
    ";",
    '"',
    "'",
    "]",
    "*",
    "_",
    "-",
    ").",
    "/.",
    "&gt;",
    "=3D",
    "\u00a0",
)


@given(purposes, st.integers(0, 2**48 - 1), st.integers(0, 2**24 - 1))
def test_a_token_holds_subscriber_issue_and_purpose(
    purpose: Purpose, subscriber: int, issue: int
) -> None:
    token = SIGNER.token(purpose, subscriber, issue)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert SIGNER.read(purpose, token) == Token(purpose, subscriber, issue)


def test_a_link_is_below_the_public_url() -> None:
    url = SIGNER.url(Purpose.UNSUBSCRIBE, 7, 3)
    assert url.startswith("https://umbaupost.example.net/unsubscribe/")
    token = url.rpartition("/")[2]
    assert SIGNER.read(Purpose.UNSUBSCRIBE, token) == Token(Purpose.UNSUBSCRIBE, 7, 3)


@given(purposes, purposes)
def test_a_token_for_one_purpose_is_invalid_for_another(made: Purpose, read: Purpose) -> None:
    token = SIGNER.read(read, SIGNER.token(made, 7, 3))
    assert (token is not None) == (made is read)


def test_a_token_with_one_bit_altered_is_invalid() -> None:
    token = SIGNER.token(Purpose.UNSUBSCRIBE, 7, 3)
    raw = base64.urlsafe_b64decode(token + "=")
    for bit in range(len(raw) * 8):
        altered = bytearray(raw)
        altered[bit // 8] ^= 1 << bit % 8
        text = base64.urlsafe_b64encode(bytes(altered)).decode().rstrip("=")
        assert SIGNER.read(Purpose.UNSUBSCRIBE, text) is None, bit


def test_a_token_with_one_letter_altered_is_invalid() -> None:
    """Also in the last one, two bits of which base64 does not look at."""
    token = SIGNER.token(Purpose.UNSUBSCRIBE, 7, 3)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, letter in enumerate(token):
        for other in alphabet.replace(letter, ""):
            altered = token[:place] + other + token[place + 1 :]
            assert SIGNER.read(Purpose.UNSUBSCRIBE, altered) is None


@given(st.text(max_size=60))
def test_a_text_that_is_no_token_is_invalid(text: str) -> None:
    for purpose in Purpose:
        assert SIGNER.read(purpose, text) is None


@pytest.mark.parametrize("change", ["A", "%3D", "0", ".com", "-x"])
def test_a_token_with_letters_behind_it_is_invalid(change: str) -> None:
    token = SIGNER.token(Purpose.CONFIRM, 7)
    assert SIGNER.read(Purpose.CONFIRM, token + change) is None


@pytest.mark.parametrize("change", ["=", " ", "\n", "A", "%3D", "("])
def test_a_token_with_a_prefix_is_invalid(change: str) -> None:
    assert SIGNER.read(Purpose.CONFIRM, change + SIGNER.token(Purpose.CONFIRM, 7)) is None


def test_a_token_of_another_publication_is_invalid() -> None:
    other = LinkSigner({1: OTHER}, "https://umbaupost.example.net")
    assert other.read(Purpose.UNSUBSCRIBE, SIGNER.token(Purpose.UNSUBSCRIBE, 7)) is None


def test_links_in_old_mails_work_after_a_new_key_was_added() -> None:
    rotated = LinkSigner({1: KEY, 2: OTHER}, SIGNER.public_url)
    old = SIGNER.token(Purpose.UNSUBSCRIBE, 7, 3)
    new = rotated.token(Purpose.UNSUBSCRIBE, 7, 3)
    assert new != old
    assert rotated.read(Purpose.UNSUBSCRIBE, old) == rotated.read(Purpose.UNSUBSCRIBE, new)
    retired = LinkSigner({2: OTHER}, SIGNER.public_url)
    assert retired.read(Purpose.UNSUBSCRIBE, old) is None


def test_a_link_holds_no_address_and_no_key() -> None:
    assert KEY.decode() not in repr(SIGNER)


# --- the keys


def test_a_key_is_created_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "secrets"
    first = load_or_create_keys(folder)
    assert load_or_create_keys(folder) == first
    assert list(first) == [1]
    assert len(first[1]) == 32
    [path] = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_every_publication_has_a_key_of_its_own(tmp_path: Path) -> None:
    assert load_or_create_keys(tmp_path / "a") != load_or_create_keys(tmp_path / "b")


def test_an_operator_may_add_a_second_key(tmp_path: Path) -> None:
    first = load_or_create_keys(tmp_path)
    (tmp_path / "token-2.key").write_text(OTHER.hex())
    assert load_or_create_keys(tmp_path) == {**first, 2: OTHER}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("token-1.key", b""),
        ("token-1.key", b"ab" * 31),
        ("token-1.key", b"not hexadecimal " * 4),
        ("token-1.key", b"\xff\xfe" * 32),
        ("token-0.key", b"ab" * 32),
        ("token-256.key", b"ab" * 32),
        ("token-x.key", b"ab" * 32),
    ],
)
def test_a_damaged_key_is_never_replaced_by_a_new_one(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """A new key would break every link in every mail that was sent."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UpcycleError, match="a token key is damaged; restore the folder"):
        load_or_create_keys(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_key_folder_that_cannot_be_created_is_reported_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("a file")
    with pytest.raises(UpcycleError, match="make the folder readable and writable"):
        load_or_create_keys(tmp_path / "secrets")


def test_two_processes_that_create_the_key_at_once_agree_on_it(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from upcycle_news.subscribers.signing_keys import load_or_create_keys\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(load_or_create_keys(Path(sys.argv[1]))[1].hex())"
    )
    processes = [
        ForkedPython(
            [sys.executable, "-c", program, str(tmp_path / "secrets")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    keys = {process.communicate()[0] for process in processes}
    assert len(keys) == 1
    assert keys == {load_or_create_keys(tmp_path / "secrets")[1].hex() + "\n"}
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["token-1.key"]


def test_many_threads_that_create_the_key_at_once_agree_on_it(
    tmp_path: Path,
) -> None:
    """As the first process of each of several containers that share the folder."""
    with ThreadPoolExecutor(8) as pool:
        for trial in range(30):
            folder = tmp_path / str(trial)
            all_keys = list(pool.map(load_or_create_keys, [folder] * 8))
            assert all(keys == load_or_create_keys(folder) for keys in all_keys)
            assert [path.name for path in folder.iterdir()] == ["token-1.key"]


def test_a_running_server_creates_no_key_when_the_folder_is_moved_away(
    tmp_path: Path,
) -> None:
    """It would take the number of an old key that comes back."""
    folder = tmp_path / "secrets"
    ring = KeyRing(folder)
    first = ring[1]
    moved = (folder / "token-1.key").rename(tmp_path / "kept")
    assert dict(ring) == {1: first}
    assert list(folder.iterdir()) == []
    moved.rename(folder / "token-1.key")
    assert add_key(folder) == 2
    assert sorted(ring) == [1, 2]
    assert ring[1] == first


@given(st.binary(min_size=32, max_size=32), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_89"))
def test_a_preview_token_has_one_spelling_only(key: bytes, last: str) -> None:
    now = datetime(2026, 11, 26, 7, tzinfo=UTC)
    token = preview_token(
        {1: key}, issue=3, revision_id="ab" * 32, expires=now + timedelta(hours=1)
    )
    assert read_preview_token({1: key}, token, now=now) is not None
    altered = token[:-1] + last
    assert (read_preview_token({1: key}, altered, now=now) is None) == (altered != token)


@pytest.mark.parametrize("tail", TAILS)
@given(purposes, st.integers(0, 2**48 - 1), st.integers(0, 2**24 - 1))
def test_what_a_mail_program_leaves_at_the_end_of_a_link_does_not_count(
    tail: str, purpose: Purpose, subscriber: int, issue: int
) -> None:
    token = SIGNER.token(purpose, subscriber, issue)
    assert trimmed(token + tail) == token
    assert SIGNER.read(purpose, token + tail) == Token(purpose, subscriber, issue)


@given(st.sampled_from(TAILS), st.integers(0, 42), st.sampled_from("AQgw_-"))
def test_a_wrong_token_stays_wrong_whatever_stands_behind_it(
    tail: str, place: int, letter: str
) -> None:
    token = SIGNER.token(Purpose.UNSUBSCRIBE, 7)
    altered = token[:place] + letter + token[place + 1 :]
    assert altered == token or SIGNER.read(Purpose.UNSUBSCRIBE, altered + tail) is None
    assert SIGNER.read(Purpose.UNSUBSCRIBE, token + "A" + tail) is None
    assert SIGNER.read(Purpose.UNSUBSCRIBE, token[:-1] + tail) is None
    assert SIGNER.read(Purpose.UNSUBSCRIBE, token + tail * 17) is None


def test_a_token_is_found_wherever_it_stands_in_a_line() -> None:
    token = SIGNER.token(Purpose.UNSUBSCRIBE, 7)
    for line in (token, f"https://x.test/unsubscribe/{token}.", f"mailto:a@x.test?subject=3D{token}=",
                 f"_{token}_"):  # fmt: skip
        assert token in list(possible_tokens(line))
    assert list(possible_tokens(token[:-1])) == []
