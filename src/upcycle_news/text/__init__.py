"""Plain text: typography, excerpts, stemming, sanitising."""
