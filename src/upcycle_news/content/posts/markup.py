"""Prepares the HTML of a post: what only works on its page is taken out, and told with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from lxml import etree

from upcycle_news.content.manuscripts.html import parse_html
from upcycle_news.content.posts.shortcodes import find_shortcodes, shortcode_names
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models.posts import Post
from upcycle_news.text.sanitize import normalise_whitespace
from upcycle_news.text.urls import BadLinkError, resolve_link, safe_link

MAX_PICTURES = 40
"""Pictures of a post that are fetched; one with more is an album."""

_EMBEDS = ("iframe", "embed", "object", "video", "audio", "applet", "canvas")
_CARDS = ("kg-audio-card", "kg-video-card", "kg-nft-card", "kg-product-card")
_GALLERIES = (
    "wp-block-gallery",
    "gallery",
    "kg-gallery-card",
    "tiled-gallery",
    "blocks-gallery-grid",
)
_LAZY = ("data-src", "data-lazy-src", "data-original", "data-orig-file")
_PICTURE_FILE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif)$", re.IGNORECASE)
# The same picture in several sizes: WordPress 7.0's and Ghost's addresses.
_SIZE = re.compile(r"-\d{2,5}x\d{2,5}(?=\.\w+$)|-scaled(?=\.\w+$)|/size/w\d+(?:h\d+)?")


@dataclass
class PostMarkup:
    """The tree of a post; `pictures` are the addresses of its pictures, in their order."""

    root: Any
    notes: list[LocalizedText] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)

    def without(self, failed: dict[str, LocalizedText]) -> None:
        """Take out the pictures that could not be fetched, by address, and say why."""
        for element in list(self.root.iter("img")):
            address = element.get("src") or ""
            if address in failed:
                near, reason = text_near(element), failed[address]
                self.notes.append(
                    localized("post-picture", address=address[:120], near=near, reason=reason)
                )
                remove(element)

    def with_names(self) -> str:
        """Return the HTML; each picture's ``src`` is its place in `pictures`."""
        for element in self.root.iter("img"):
            element.set("src", str(self.pictures.index(element.get("src"))))
        markup: str = etree.tostring(self.root, encoding="unicode", method="html")
        return markup


def prepare_post(post: Post, where: str) -> PostMarkup:
    """Return a post's tree without what a mail has no use for; raises `ContentError` for a huge one."""
    markup = PostMarkup(parse_html(f"<html><body>{post.html}</body></html>", where))
    if post.language:
        markup.root.set("lang", post.language)
    _Preparation(markup, post).run()
    return markup


class _Preparation:
    """The steps in their order; each looks at the whole tree."""

    def __init__(self, markup: PostMarkup, post: Post) -> None:
        self.markup, self.post = markup, post
        self.root = markup.root

    def run(self) -> None:
        self._drop_trailer()
        self._drop_shortcodes()
        self._drop_programs()
        self._cards()
        self._galleries()
        self._rename()
        self._links()
        self._pictures()
        self._title_picture()

    def _note(self, note: LocalizedText) -> None:
        self.markup.notes.append(note)

    def _drop_trailer(self) -> None:
        """Take out the last line if it is one that the site appends to every post."""
        if not self.post.trailer:
            return
        for element in reversed(list(_elements(self.root))):
            text = normalise_whitespace("".join(element.itertext()))
            if text == self.post.trailer and element.tag in ("p", "div", "footer"):
                remove(element)
                return

    def _drop_shortcodes(self) -> None:
        # One begins in a piece of text and ends in another.
        names = shortcode_names("".join(self.root.itertext()))
        for element, attribute in list(_texts(self.root)):
            text = getattr(element, attribute)
            holder = element if attribute == "text" else element.getparent()
            if holder is not None and any(
                above.tag in ("code", "pre") for above in (holder, *holder.iterancestors())
            ):
                continue
            kept, last = [], 0
            for start, end in find_shortcodes(text, names):
                code = normalise_whitespace(text[start:end])
                if not code.startswith("[/"):
                    self._note(localized("post-shortcode", code=code[:80]))
                kept.append(text[last:start])
                last = end
            if kept:
                setattr(element, attribute, "".join([*kept, text[last:]]))

    def _drop_programs(self) -> None:
        """Take out scripts, forms and what is embedded from elsewhere."""
        for element in list(_elements(self.root)):
            if all(above is not self.root for above in element.iterancestors()):
                continue  # it went with one around it
            if element.tag == "script":
                if element.get("type") not in ("application/ld+json", "application/json"):
                    self._note(localized("post-script", near=text_near(element)))
            elif element.tag in _EMBEDS:
                self._note(
                    localized(
                        "post-embed", near=text_near(element), host=_host(element) or element.tag
                    )
                )
            elif element.tag == "noscript" and self._is_only_here(element):
                element.tag = "div"
                continue
            elif element.tag == "button" and not "".join(element.itertext()).strip():
                pass  # an icon that opens or closes
            elif element.tag in ("form", "button"):
                self._note(localized("post-form", near=text_near(element)))
            elif element.tag in ("style", "noscript", "link", "meta", "template"):
                pass
            elif element.tag == "svg" and not normalise_whitespace("".join(element.itertext())):
                pass  # an icon
            else:
                continue
            remove(element)

    def _is_only_here(self, element: Any) -> bool:
        """Tell whether an element for readers without scripts has a picture that is nowhere else."""
        inside = {image.get("src") for image in element.iter("img")}
        others = {
            image.get(name)
            for image in self.root.iter("img")
            if all(above is not element for above in image.iterancestors())
            for name in ("src", *_LAZY)
        }
        return bool(inside - others)

    def _cards(self) -> None:
        """Make previews of links to links (Ghost's bookmarks, files), and take out players."""
        for element in list(_elements(self.root)):
            if all(above is not self.root for above in element.iterancestors()):
                continue  # it went with one around it
            names = (element.get("class") or "").split()
            if "kg-bookmark-card" in names or "kg-file-card" in names:
                link = next(element.iter("a"), None)
                titles = [
                    below for below in _elements(element)
                    if re.search(r"kg-(?:bookmark|file-card)-title", below.get("class") or "")
                ]  # fmt: skip
                if link is not None:
                    text = normalise_whitespace("".join((titles or [link])[0].itertext()))
                    paragraph = etree.Element("p")
                    new = etree.SubElement(paragraph, "a", href=link.get("href") or "")
                    new.text, paragraph.tail = text or link.get("href"), element.tail
                    self._note(localized("post-card", near=text_near(element)))
                    element.getparent().replace(element, paragraph)
            elif any(name in _CARDS for name in names):
                text = normalise_whitespace("".join(element.itertext()))
                if next(element.iter("img"), None) is None or "kg-product-card" not in names:
                    self._note(
                        localized(
                            "post-embed", near=text_near(element), host=text[:60] or names[-1]
                        )
                    )
                    remove(element)

    def _galleries(self) -> None:
        for element in list(_elements(self.root)):
            names = (element.get("class") or "").split()
            if not any(name in _GALLERIES for name in names):
                continue
            inside = any(
                name in (above.get("class") or "").split()
                for above in element.iterancestors() for name in _GALLERIES
            )  # fmt: skip
            count = sum(1 for _ in element.iter("img"))
            if count > 1 and not inside:
                self._note(localized("post-gallery", near=text_near(element), count=count))
            if element.tag in ("figure", "ul", "dl"):
                for child in element:
                    if child.tag == "figcaption":
                        child.tag = "p"
                    elif child.tag in ("li", "dt", "dd"):
                        child.tag = "div"
                element.tag = "div"
            for below in element.iter("dl", "dt", "dd"):
                below.tag = "div"

    def _rename(self) -> None:
        """Name elements as the converter of manuscripts means them."""
        names = {"article": "div", "main": "div", "del": "s", "ins": "span"}
        for element in list(_elements(self.root)):
            if element.tag in names:
                element.tag = names[element.tag]
            classes = (element.get("class") or "").split()
            if {"wp-caption-text", "gallery-caption"} & {*classes}:
                element.tag = "p"
                element.set("class", "caption")
            elif "wp-block-file__button" in classes:
                remove(element)  # the link beside it leads to the same file

    def _links(self) -> None:
        """Make addresses whole; those within the page stay, for footnotes are such links."""
        page = self.post.link.partition("#")[0]
        for element in self.root.iter("a"):
            href = (element.get("href") or "").strip()
            path, sign, fragment = href.partition("#")
            if sign and path == page:
                element.set("href", f"#{fragment}")
            elif href and not href.startswith("#"):
                href = resolve_link(href, page)
                element.set("href", href)
                if _parts(href) is None:
                    self._note(localized("import-links", count=1))
                    del element.attrib["href"]

    def _pictures(self) -> None:
        for element in list(self.root.iter("img")):
            if set((element.get("class") or "").split()) & {"emoji", "wp-smiley"}:
                _replace_by_text(element, element.get("alt") or "")
                continue
            if {element.get("width"), element.get("height")} & {"0", "1"}:
                remove(element)  # a pixel that counts readers
                continue
            address = self._address(element)
            if not address or len(self.markup.pictures) >= MAX_PICTURES:
                near = text_near(element)
                if address:
                    self._note(localized("post-picture-many", near=near, limit=MAX_PICTURES))
                else:
                    self._note(localized("post-picture-none", near=near))
                remove(element)
                continue
            element.set("src", address)
            if address not in self.markup.pictures:
                self.markup.pictures.append(address)
            link = element.getparent()
            if link.tag == "a" and _PICTURE_FILE.search(urlsplit(link.get("href") or "").path):
                link.tag = "span"  # it leads to the picture itself

    def _address(self, element: Any) -> str:
        """Return where a picture lies; pages that load late keep the address beside a stand-in."""
        source = (element.get("src") or "").strip()
        if not source or source.startswith("data:"):
            source = next((element.get(name) for name in _LAZY if element.get(name)), "")
        try:
            return safe_link(resolve_link(source, self.post.link)) if source else ""
        except BadLinkError:
            return ""

    def _title_picture(self) -> None:
        """Put the post's title picture above its text, unless it is in it."""
        address = self.post.image
        if not address or _same_picture(address) in map(_same_picture, self.markup.pictures):
            return
        body = self.root.find("body")
        figure = etree.Element("figure")
        etree.SubElement(figure, "img", src=address)
        figure.tail, body.text = body.text, None
        body.insert(0, figure)
        self.markup.pictures.insert(0, address)


def _parts(address: str) -> SplitResult | None:
    """Return the parts of an address, None for one that cannot be read (``http://[x``)."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


def _same_picture(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.netloc}{_SIZE.sub('', parts.path)}".lower()


def _host(element: Any) -> str:
    for below in element.iter():
        for name in ("src", "data", "data-src"):
            if isinstance(below.tag, str) and below.get(name):
                parts = _parts(below.get(name))
                return (parts.hostname if parts else "") or ""
    return ""


def _elements(root: Any) -> Iterator[Any]:
    return (element for element in root.iter() if isinstance(element.tag, str))


def _texts(root: Any) -> Iterator[tuple[Any, str]]:
    """Yield every piece of text as the element and the attribute that hold it."""
    for element in _elements(root):
        for attribute in ("text", "tail"):
            if "[" in (getattr(element, attribute) or ""):
                yield element, attribute


def text_near(element: Any) -> str:
    """Return the beginning of the text that stands above an element, else below it."""
    before = element.xpath("preceding::text()[normalize-space()]")
    after = element.xpath("following::text()[normalize-space()]")
    # A piece of text may be a word in the middle of a paragraph: the whole paragraph is meant.
    node = before[-1] if before else after[0] if after else None
    holder = node.getparent() if node is not None else element.getparent()
    if node is not None and node.is_tail and holder.getparent() is not None:
        holder = holder.getparent()
    words = normalise_whitespace(str(node or "".join(element.itertext())))
    if holder is not None and holder.tag in ("p", "li", "h2", "h3", "h4", "td", "figcaption"):
        words = normalise_whitespace("".join(holder.itertext()))
    return words if len(words) <= 50 else f"{words[:49]}…"


def remove(element: Any) -> None:
    """Take an element out of the tree, not the text behind it."""
    _replace_by_text(element, "")


def _replace_by_text(element: Any, text: str) -> None:
    parent, before = element.getparent(), element.getprevious()
    rest = text + (element.tail or "")
    if before is not None:
        before.tail = (before.tail or "") + rest
    else:
        parent.text = (parent.text or "") + rest
    parent.remove(element)
