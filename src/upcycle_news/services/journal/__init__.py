"""The journal of what went out: with it a store that was lost or set back is recognised.

- `files`: the journal in its places, read and appended to.
- `record`: what is written into it, and when.
- `consistency`: whether the store knows what the journal and the archive say; if not, nothing goes out.
- `settle`: a person says that the store is right as it is.
"""
