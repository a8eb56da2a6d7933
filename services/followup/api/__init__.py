"""HTTP of followup: request -> command -> decide and append -> answer. No rules here."""
