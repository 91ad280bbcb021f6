"""Drift: what a watched thing publishes, compared with what was accepted. Pure.

`canonical` makes one form of equal documents, `hashes` names them, `compare` says what changed and whom that breaks,
`follow` decides over many looks whether a change is real, accepted or unstable.
"""
