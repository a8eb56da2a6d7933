"""Matching: the pool of ready candidates, ranking with reasons, ask, present, answer, confirm."""
