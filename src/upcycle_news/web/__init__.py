"""The web server: archive, sign-up, confirmation, unsubscribing, preferences; GET changes nothing.

`upcycle-news web` serves it; ``upcycle_news.web.app:create_app`` is the same as an ASGI factory.
"""
