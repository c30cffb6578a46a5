"""Reading answers out of model replies, by rules on the wording."""
