"""What every service stands on: log, relay, projections, reactor, web, keyring, clock."""
