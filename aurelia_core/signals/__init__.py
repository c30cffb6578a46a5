"""Measurements in a clip without a model: sounds, silence, tempo, motion, colours, cuts, audio-visual sync."""
