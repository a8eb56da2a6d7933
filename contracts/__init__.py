"""The published language of Dugnad: events, closed lists, envelope and schemas. Imports nothing of the repository."""
