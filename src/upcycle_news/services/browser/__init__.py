"""A headless Chromium, where one is there: pictures of pages and measures of their layout.

- `chromium`: finds it, and drives one that reaches no network and runs no script of a page.
- `pictures`: pictures of an issue as phones and desktops show it.
"""
