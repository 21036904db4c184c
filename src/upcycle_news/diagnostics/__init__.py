"""The doctor: checks of the installation, each with a finding, its impact and a fix.

Functions that inspect something return facts; `evaluate` functions are pure and turn facts into
`CheckResult`s; `runner.run_checks` runs all probes in parallel. Nothing here changes or
repairs anything, and one mail is sent only where it is asked for (`read_back`).
"""
