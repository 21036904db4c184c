"""The images of an issue: loaded from the content folder, scaled once, published where hosted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import FILE_NAME
from upcycle_news.errors import ContentError, IssueError, UpcycleError
from upcycle_news.fileio import find_file, line_of, os_reason, write_atomically
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay, Manifest
from upcycle_news.models.archive_paths import IMAGES, hosted_name
from upcycle_news.rendering.image_resize import VERSION, fit_for_mail
from upcycle_news.rendering.images import read_image
from upcycle_news.rendering.markdown import references
from upcycle_news.rendering.theme import THEME, read_theme, theme_pictures
from upcycle_news.text.image_paths import image_path
from upcycle_news.text.typography import one_line


def load_essay_images(context: AppContext, essays: Sequence[Essay]) -> dict[str, bytes]:
    """Return every image the essays show, fit for a mail, by its path; raises `ContentError`."""
    images: dict[str, bytes] = {}
    for essay in essays:
        for picture in shown_pictures(context, essay):
            if picture.path not in images:
                images[picture.path] = _fit_cached(
                    context.image_cache_folder, picture.path, picture.data
                )
    return images


def load_design_images(
    context: AppContext, templates: Mapping[str, str], essays: Sequence[Essay]
) -> dict[str, bytes]:
    """Return the pictures that theme.toml and the settings of the essays' authors name.

    Raises `ContentError` at the place that names one which is not there.
    """
    names = {one_line(essay.author).casefold() for essay in essays if essay.author}
    named = [
        (f"templates/{THEME}", line_of(templates[THEME], place), path)
        for place, path in theme_pictures(read_theme(templates)).items()
    ] + [
        (FILE_NAME, None, path)
        for author in context.publication.authors
        if one_line(author.name).casefold() in names and (path := image_path(author.portrait))
    ]
    folder = context.content_folder / "images"
    images: dict[str, bytes] = {}
    for where, line, path in named:
        try:
            data = (find_file(folder, path) or folder / path).read_bytes()
        except OSError as error:
            text = localized("picture-named", image=path, reason=os_reason(error))
            raise ContentError(where, line, text) from None
        images[path] = _fit_cached(context.image_cache_folder, path, data)
    return images


@dataclass(frozen=True)
class ShownPicture:
    """A file below content/images, and the line of the essay that shows it (None: its head)."""

    path: str
    line: int | None
    data: bytes


def shown_pictures(context: AppContext, essay: Essay) -> Iterator[ShownPicture]:
    """Yield every picture an essay shows, as it was handed in; raises `ContentError`."""
    folder = context.content_folder / "images"
    for path, line in _references(essay):
        try:
            data = (find_file(folder, path) or folder / path).read_bytes()
        except OSError as error:
            text = localized("picture-gone", image=path, reason=os_reason(error))
            raise ContentError(essay.source, line, text) from None
        yield ShownPicture(path, line, data)


def referenced_paths(essays: Sequence[Essay]) -> set[str]:
    """Return the paths of all images that the essays show."""
    return {path for essay in essays for path, _ in _references(essay)}


def _references(essay: Essay) -> Iterator[tuple[str, int | None]]:
    """Yield the path of each image that an essay shows, and its line in the file if it has one."""
    if essay.image:
        yield essay.image.path, None
    for reference in references(essay.body):
        if reference.kind == "image" and (path := image_path(reference.target)):
            yield path, essay.body_line + reference.line - 1


def _fit_cached(cache: Path, path: str, data: bytes) -> bytes:
    """Return `fit_for_mail` from a cache: the same bytes are scaled once for all revisions.

    Without a cache that can be written they are scaled each time.
    """
    cached = cache / f"{sha256(data).hexdigest()}-{VERSION}"
    with suppress(OSError):
        return cached.read_bytes()
    fitted = fit_for_mail(path, data)
    with suppress(UpcycleError):
        write_atomically(cached, fitted)
    return fitted


def publish_images(context: AppContext, manifest: Manifest) -> tuple[str, ...]:
    """Write hosted images to var/archive/images; returns their URLs, none if embedded."""
    if manifest.publication.images != "hosted":
        return ()
    urls: list[str] = []
    for path, data in sorted(manifest.images.items()):
        _, image = read_image(path, data)
        name = hosted_name(image)
        if not (context.hosted_images_folder / name).is_file():
            write_atomically(context.hosted_images_folder / name, data)
        urls.append(manifest.publication.site_address(IMAGES + name))
    return tuple(urls)


def raise_if_images_unreachable(context: AppContext, manifest: Manifest) -> None:
    """Raise `IssueError` when a hosted image cannot be loaded from its public URL.

    Nothing is checked when no relay is configured: then mails go to the embedded mailbox only.
    """
    from upcycle_news.services.content.url_check import unreachable_urls

    urls = publish_images(context, manifest)
    if not urls or context.configured_relay is None:
        return
    data_by_name = {
        hosted_name(read_image(path, data)[1]): data for path, data in manifest.images.items()
    }
    expected = [(url, data_by_name[url.rpartition("/")[2]]) for url in urls]
    for url, reason in unreachable_urls(context, expected):
        raise IssueError(
            localized(
                "image-not-reachable",
                issue=manifest.issue.id,
                url=url,
                reason=reason,
                folder=context.hosted_images_folder,
            )
        )
