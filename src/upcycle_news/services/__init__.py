"""The steps of an issue, shared by both doors: the command line and the flows.

collecting → composing → rendering → sending. Each takes the `Newsroom` and ids, never an address.
"""
