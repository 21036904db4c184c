"""What is wrong with the installation, what that means, and the cure.

Probes look and return facts; verdicts are pure functions that make lines of facts; `examine` runs
all of them at the same time. Nothing here changes, sends or repairs anything.
"""
