"""Manuscripts as authors hand them in, read into Markdown: one module a format.

`kinds` tells by a file's bytes what it is. docx, odt and html become one tree of elements
(`document.Document`), which `to_markdown` writes; what could not be carried over is told.
"""
