"""Followup: from a confirmed match to an agreement, a confirmed start, check-ins, an extension and an outcome."""
