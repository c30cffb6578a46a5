"""Which model answered, as its reply says: a provider may answer with another one than was asked."""

import re

_VERSION = re.compile(r"(?:[-@:](?:\d{2,}.*|latest|preview.*|exp.*|v\d.*|it|instruct|free|fp8|awq))*", re.IGNORECASE)


def is_other_model(asked: str, answered: str) -> bool:
    """Whether two names mean models of different families; a date, a version or a preview is no other family.

    A server of local weights may answer with their file, which says nothing about the name that was asked.
    """
    if answered.lower().endswith(".gguf") or answered.startswith("/"):
        return False
    one, other = _plain(asked), _plain(answered)
    if not one or not other:
        return False
    shorter, longer = sorted((one, other), key=len)
    return not (longer.startswith(shorter) and _VERSION.fullmatch(longer[len(shorter) :]))


def _plain(name: str) -> str:
    """The last part of a name, without folder, organisation and file ending."""
    return re.split(r"[/\\]", name.strip().lower())[-1].removesuffix(".gguf")
