"""What may be published: noise by cell keys, derived figures, and when a period may be published again.

Invariant: a published cell never tells of one person. Everything here is pure; the secrets are handed in.
"""
