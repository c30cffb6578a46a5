"""Reading the choice that a reply names, for scoring: by the rules that the graph has too (`aurelia_core.answers.multiple_choice`)."""

from aurelia_core.answers.multiple_choice import UNPARSED, Extracted, extract

__all__ = ["UNPARSED", "Extracted", "extract"]
