"""Languages as other programs name them: tags in any spelling, and words."""

from __future__ import annotations

import re
from functools import cache

_NAMED_IN = ("en", "de", "fr", "es", "it", "nl")


def language_tag(value: str) -> str:
    """Return the language that `value` names as a tag such as ``de`` or ``de-AT``, empty for none.

    It is a tag of RFC 5646 whose primary subtag is registered (as far as CLDR has a name for it), of which
    language and region are kept, or a language's name: ``german``, ``Deutsch``.
    """
    from babel.core import get_global  # late: most commands need no languages

    written = value.strip().replace("_", "-")
    match = re.fullmatch(r"([A-Za-z]{2,3})((?:-[A-Za-z0-9]{1,8})*)", written)
    if match is None:
        return _codes_by_name().get(" ".join(value.split()).casefold(), "")
    base = match[1].lower()
    base = str(get_global("language_aliases").get(base, base))
    if base not in _codes_by_name().values():
        return ""
    region = re.search(r"-([A-Za-z]{2})(?=-|$)", match[2].partition("-x-")[0])
    return f"{base}-{region[1].upper()}" if region else base


@cache
def _codes_by_name() -> dict[str, str]:
    from babel import Locale

    return {
        name.casefold(): code
        for language in _NAMED_IN
        for code, name in Locale(language).languages.items()
        if re.fullmatch(r"[a-z]{2,3}", code)
    }
