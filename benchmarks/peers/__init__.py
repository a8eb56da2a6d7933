"""Other ways to keep durable state from Kafka, each run by the Python of an environment of its own.

These modules import nothing of Dugnad's: it is not installed there.
"""
