"""OpenAI models, and models on OpenAI-compatible servers."""
