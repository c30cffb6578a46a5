"""Chat models in every role: naming them, asking them, reading what they say, and never paying twice."""
