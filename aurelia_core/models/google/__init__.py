"""Gemini models."""
