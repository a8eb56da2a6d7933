"""Definitions and tables: pure functions of facts. No I/O, no clock."""
