"""HTTP of intake: request -> command -> decide and append -> answer. No rules here."""
