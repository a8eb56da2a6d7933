"""Intake: employers' needs, candidates, consent, background, workforce figures and the keyring."""
