"""Functions on plain text: sanitising, typography, excerpts, stemming, links."""
