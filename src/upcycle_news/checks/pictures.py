"""Checks the pictures of an essay as editors handed them in: rights, places in them, animations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from upcycle_news.checks.findings import warning
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay, Finding
from upcycle_news.rendering.image_metadata import ImageRights, read_information
from upcycle_news.rendering.image_resize import MAX_ANIMATION_BYTES, is_animated
from upcycle_news.rendering.images import open_image


@dataclass(frozen=True)
class PictureInput:
    """A picture that `essay` shows at `where`: its file as handed in, and as a mail carries it."""

    essay: Essay
    path: str
    where: str
    data: bytes
    fitted: bytes


def check_picture(picture: PictureInput) -> Iterator[Finding]:
    """Yield the findings about one picture, which `fit_for_mail` has accepted."""
    path, where = picture.path, picture.where
    with open_image(path, picture.data) as image:
        information, moved = read_information(image, picture.data), is_animated(image)
    with open_image(path, picture.fitted) as image:
        still = not is_animated(image)
    if moved and still:
        text = localized("picture-still", image=path, limit=MAX_ANIMATION_BYTES)
        yield warning("picture-still", where, text)
    for written in information.withheld:
        yield warning("picture-place", where, localized("picture-place", image=path, text=written))
    if information.rights and not _is_credited(picture.essay, information.rights):
        in_head, credit = picture.essay.image, information.rights.line()
        text = localized("picture-title", image=path, credit=credit)
        if in_head and in_head.path == path:
            text = localized("picture-credit", image=path, credit=credit)
        yield warning("picture-credit", where, text)


def _is_credited(essay: Essay, rights: ImageRights) -> bool:
    """Return whether the essay names whom the picture is owed to, wherever it does."""
    below = (essay.image.caption, essay.image.credit) if essay.image else ()
    words = re.findall(r"\w+", " ".join((*below, essay.body)).casefold())
    names = rights.creator or rights.credit or rights.notice or rights.licence
    first = re.findall(r"\w+", names.partition(",")[0].casefold())
    return not first or first[-1] in words
