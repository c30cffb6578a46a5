"""AURELIA: test-time reasoning distillation for frozen audio-visual LLMs (arXiv 2503.23219)."""
