"""Markdown as German authors write it: one parser for mails, archive, text parts, checks and summaries.

CommonMark with tables, strikethrough and footnotes, and rules of our own where German text or what word
processors leave means something else; `parser` puts them together. Every rule works on lines and
tokens, so tokens keep the lines of the file.
"""
