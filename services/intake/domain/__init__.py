"""What intake decides: pure functions over needs, candidates, background facts and workforce figures."""
