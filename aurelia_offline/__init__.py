"""Agents that need no key, and the mini world: rendered clips with known content, with a small trained target."""
