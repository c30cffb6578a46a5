"""Answers queries from measurements."""
