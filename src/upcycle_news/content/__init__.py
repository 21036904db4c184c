"""Essays as files: front matter, plain-text import."""
