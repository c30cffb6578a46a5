"""The price of a model by its name, before it is asked: one look-up for every forecast."""

from aurelia_core.errors import InputError
from aurelia_core.models.capabilities import TokenPrice, find_capability
from aurelia_core.models.google.billing import find_price

_FREE = ("offline", "transformers", "worker")


def model_price(model_id: str) -> TokenPrice:
    """Dollars for a million tokens of `provider:model`; 0 for models on this machine, None where not known."""
    provider, _, name = model_id.partition(":")
    if provider in _FREE:
        return TokenPrice(input=0.0, output=0.0)
    if provider == "google_genai":
        google = find_price(name)
        return TokenPrice(input=google.input, output=google.output) if google else TokenPrice()
    try:
        return find_capability(model_id).price
    except InputError:
        return TokenPrice()
