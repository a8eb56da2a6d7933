"""`dugnad`: what an operator asks and does, one command each."""
