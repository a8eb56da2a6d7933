"""Tables as PxWebApi 2 and JSON-stat 2.0 serve them, so that analysts' clients work unchanged."""
