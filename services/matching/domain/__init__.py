"""Rules of matching: pure, no I/O, no clock, no random.

Invariant: one person, one place: a decision that opens, confirms or ends a match reads its slot and its candidate.
"""
