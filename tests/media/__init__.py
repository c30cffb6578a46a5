"""Files of every kind that everyday programs make, and what the clip store makes of them."""
