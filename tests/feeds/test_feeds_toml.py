"""Reading feeds.toml, and the line and message of each mistake."""

import pytest

from upcycle_news.errors import ContentError
from upcycle_news.feeds.feeds_toml import load_feeds
from upcycle_news.models import Feed

GOOD = """# Unsere Quellen
[[feeds]]
name = "Baublatt"
url = "https://bau.example/feed"
topics = ["Bauen"]
weight = 1.5
limit = 1

[[feeds]]
name = "Stadt"
url = "HTTP://stadt.example/rss?x=1"
active = false
language = "en"
"""


def load(tmp_path, text):
    path = tmp_path / "content/feeds.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_feeds(path, tmp_path)


def test_feeds_are_read_with_their_defaults(tmp_path):
    assert load(tmp_path, GOOD) == (
        Feed("Baublatt", "https://bau.example/feed", ("Bauen",), 1.5, "de", 1, True),
        Feed("Stadt", "http://stadt.example/rss?x=1", (), 1.0, "en", None, False),
    )


def test_without_a_file_there_are_no_feeds(tmp_path):
    assert load_feeds(tmp_path / "content/feeds.toml", tmp_path) == ()
    assert load(tmp_path, "") == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weight", "wieght", "6: 'wieght' is not a key of a feed (did you mean 'weight'?)"),
        ("weight = 1.5", "weight = nan", "6: 'weight' is not a number from 0 to 10"),
        ("weight = 1.5", "weight = true", "6: 'weight' is not a number"),
        ("limit = 1", "limit = 0", "7: 'limit' is less than 1"),
        ("limit = 1", "limit = 1.5", "7: 'limit' is not a number of items (write limit = 2)"),
        ('["Bauen"]', '"Bauen"', "5: 'topics' is not a list of texts"),
        ('["Bauen"]', "[1]", "5: 'topics' is not a list of texts"),
        ("active = false", 'active = "no"', "12: 'active' is not true or false"),
        ('"en"', '"english"', "13: 'language' is not a language"),
        ('name = "Stadt"', "", "9: the feed has no 'name'"),
        ('name = "Stadt"', 'name = " "', "10: 'name' is empty"),
        ('name = "Stadt"', 'name = "BAUBLATT"', "10: a feed named 'BAUBLATT' is there already"),
        ('name = "Stadt"', 'name = "Stadt', "10: not TOML"),
        ("HTTP://stadt.example/rss?x=1", "https://BAU.example:443/feed#x", "11: this address is there already, as 'Baublatt'"),
        ("HTTP://stadt.example/rss?x=1", "file:///etc/passwd", "11: the feed's address cannot be used: it is not http or https"),
        ("HTTP://stadt.example/rss?x=1", "feed.xml", "11: the feed's address cannot be used"),
        ("HTTP://stadt.example/rss?x=1", "https://me:secret@x.example/", "11: the feed's address cannot be used: it carries a user name"),
        ("[[feeds]]\nname = \"Stadt\"", "[[feed]]\nname = \"Stadt\"", "9: 'feed' is unknown here (did you mean 'feeds'?)"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_line_and_fix(tmp_path, old, new, message):
    with pytest.raises(ContentError) as error:
        load(tmp_path, GOOD.replace(old, new))
    assert str(error.value).startswith("content/feeds.toml:" + message)
    assert "secret" not in str(error.value)


def test_feeds_that_are_not_tables_are_refused(tmp_path):
    with pytest.raises(ContentError, match=r"feeds.toml:1: 'feeds' is not a list of tables"):
        load(tmp_path, 'feeds = "x"')
