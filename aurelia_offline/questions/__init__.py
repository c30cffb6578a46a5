"""Understands questions in ordinary English."""
