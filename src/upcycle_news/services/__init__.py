"""The application's services: the steps of an issue, and the tasks around them.

The command line, the web pages and the flows call these functions with an `AppContext` and ids,
never with an address.
"""
