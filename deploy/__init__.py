"""How Dugnad is run: on one bare machine (`deploy.local`)."""
