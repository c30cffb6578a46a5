"""Reading the choice that a reply names, for scoring: by the rules that the graph has too (`aurelia_core.answers.multiple_choice`)."""

from aurelia_core.answers.multiple_choice import UNPARSED, ExtractedChoice, extract_choice

__all__ = ["UNPARSED", "ExtractedChoice", "extract_choice"]
