"""The rules of followup: pure, without I/O, clock or chance. `decide` and `evolve` are all that others need."""
