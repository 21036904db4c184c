"""The pictures of an issue: found beside the essays, scaled once, published where they have to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.errors import ContentError, IssueError
from upcycle_news.fileio import write_whole
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay, Manifest
from upcycle_news.models.archive_paths import IMAGES, hosted_name
from upcycle_news.rendering.image_resize import VERSION, fit_for_mail
from upcycle_news.rendering.images import read_image
from upcycle_news.rendering.markdown import image_path, references
from upcycle_news.services.content.url_check import unreachable_urls


def load_essay_images(context: AppContext, essays: Sequence[Essay]) -> dict[str, bytes]:
    """Every picture the essays show, fit for a mail, by its path; raises `ContentError`."""
    found: dict[str, bytes] = {}
    for essay in essays:
        for path, line in _named(essay):
            if path in found:
                continue
            try:
                data = (context.content_folder / "images" / path).read_bytes()
            except OSError as error:
                said = localized("picture-gone", image=path, reason=error.strerror or str(error))
                raise ContentError(essay.source, line, said) from None
            found[path] = _fitted(context.image_cache_folder, path, data)
    return found


def _named(essay: Essay) -> Iterator[tuple[str, int | None]]:
    if essay.image:
        yield essay.image.path, None
    for one in references(essay.body):
        if one.kind == "image" and (path := image_path(one.target)):
            yield path, essay.body_line + one.line - 1


def _fitted(cache: Path, path: str, data: bytes) -> bytes:
    """`fit`, remembered: the same bytes are scaled once, and stay as they are in every revision."""
    kept = cache / f"{sha256(data).hexdigest()}-{VERSION}"
    try:
        return kept.read_bytes()
    except FileNotFoundError:
        pass
    fitted = fit_for_mail(path, data)
    write_whole(kept, fitted)
    return fitted


def publish_images(context: AppContext, manifest: Manifest) -> tuple[str, ...]:
    """Write hosted pictures to var/archive/images; returns their addresses, none if embedded."""
    if manifest.publication.images != "hosted":
        return ()
    addresses: list[str] = []
    for path, data in sorted(manifest.images.items()):
        _, image = read_image(path, data)
        name = hosted_name(image)
        if not (context.hosted_images_folder / name).is_file():
            write_whole(context.hosted_images_folder / name, data)
        addresses.append(manifest.publication.site_address(IMAGES + name))
    return tuple(addresses)


def raise_if_images_unreachable(context: AppContext, manifest: Manifest) -> None:
    """Raise `IssueError` when a hosted picture does not answer at its public address.

    Nobody asks when no relay is configured: then the mail goes to the embedded mailbox only.
    """
    addresses = publish_images(context, manifest)
    if not addresses or context.configured_relay is None:
        return
    wanted = {
        hosted_name(read_image(path, data)[1]): data for path, data in manifest.images.items()
    }
    told = [(address, wanted[address.rpartition("/")[2]]) for address in addresses]
    for address, why in unreachable_urls(context, told):
        raise IssueError(
            f"issue {manifest.issue.id} would show an image that readers cannot load: {address} "
            f'({why}); publish {context.hosted_images_folder} there, or write images = "embedded" '
            "under [issue] in newsletter.toml"
        )
