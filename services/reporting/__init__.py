"""Reporting: facts from the events of all services, and tables computed from them."""
