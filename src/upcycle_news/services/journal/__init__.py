"""The journal of what went out: a witness that tells a store which was lost or set back.

- `files`: the journal in its places, read and appended to.
- `record`: what is written into it, and when.
- `consistency`: whether the store knows what the journal and the archive say; if not, nothing goes out.
- `settle`: a person says that the store is right as it is.
"""
