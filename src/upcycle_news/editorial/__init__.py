"""What goes into an issue: essays, feeds, and the decision which of them belong together.

Reading is done by thin shells (`essays`, `feedlist`, `feeds`); everything else is a pure function
of values. This room has never heard of a subscriber, a store or a mail.
"""
