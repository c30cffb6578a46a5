"""Reading the choice that a reply names, for scoring: by the rules that the graph has too (`aurelia.choices`)."""

from aurelia.choices import UNPARSED, Extracted, extract

__all__ = ["UNPARSED", "Extracted", "extract"]
