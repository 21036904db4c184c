"""Essays as files: Markdown with front matter, and the import of plain texts."""
