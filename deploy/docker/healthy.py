#!/usr/bin/env python3
"""Whether an address answers with 200: `healthy URL`. The image has no curl, and needs none."""

import sys
import urllib.request

try:
    with urllib.request.urlopen(sys.argv[1], timeout=8) as answer:  # noqa: S310  our own command line
        sys.exit(0 if answer.status == 200 else 1)
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error}")
