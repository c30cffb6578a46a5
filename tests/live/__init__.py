"""Tests that need keys, weights or a server: `make live`. A package, so that its conftest is not the one above it."""
