"""Engines, services and demo on one bare machine: `make run`, `make demo`, and the engines of the tests."""
