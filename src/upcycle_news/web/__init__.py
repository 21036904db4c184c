"""The web door: subscribe, confirm, unsubscribe, preferences. GET shows, POST acts.

`upcycle-news web` serves it; ``upcycle_news.web.app:create_app`` is the same as an ASGI factory.
"""
