"""What a user is told before a run: profiles that could be used here, and a question that the target cannot answer."""

from collections.abc import Mapping
from typing import Any

from aurelia.cli.progress import ProgressPrinter
from aurelia.profiles import profile_names
from aurelia_core.models.client import ModelClient
from state.context import Context

KEYLESS_MODEL = "offline:measure"
_NEEDED_MODELS = (
    "To ask about anything, set GOOGLE_API_KEY or OPENAI_API_KEY and add --profile gemini or openai, or name a server"
    " or open weights: aurelia doctor lists all profiles."
)
"""What a question needs that the keyless profile cannot answer."""

_OFFERED = ("gemini", "openai", "compatible", "local")
"""Profiles with all roles on one provider; `paper` and `open-agents` mix them and are for those who know them."""
_VARIABLE = "the variable "


def profile_hint() -> str | None:
    """The profiles whose key, server or weights are on this machine, in a line; None if there is none.

    Nothing is asked and nothing is paid.
    """
    from aurelia.cli import doctor

    usable = []
    for name in profile_names():
        if name not in _OFFERED:
            continue
        lacks = doctor.examine_profile(name, None)["lacks"]
        if not lacks:
            usable.append(f"--profile {name}")
        elif not _lacks_access(name, lacks):
            usable.append(f"--profile {name} (lacks {', '.join(lacks)})")
    if not usable:
        return None
    return f"offline, because none was named; here you could also use {' or '.join(usable)}"


def _lacks_access(name: str, lacks: list[str]) -> bool:
    """Whether the key, the server or the weights are missing; a package alone can be installed."""
    return name == "local" or any(lack.startswith(_VARIABLE) for lack in lacks)


def print_hints(
    progress: ProgressPrinter,
    client: ModelClient,
    context: Context,
    question: Mapping[str, Any],
    *,
    profile_named: bool,
) -> None:
    """Say before a run which profiles could be used, and whether the target can answer such a question at all.

    Args:
        progress: prints the lines.
        client: makes the target's model.
        context: the settings of the run.
        question: its keys question and choices count.
        profile_named: whether the user chose the profile.
    """
    unchosen = not profile_named and set(context.models().values()) == {KEYLESS_MODEL}
    if unchosen and (hint := profile_hint()):
        progress.note("Profile", hint)
    if context.target != KEYLESS_MODEL or not question["question"].strip():
        return
    if why := why_unanswerable(client.model(context.target), question["question"], list(question["choices"])):
        progress.foresee(context.target, why, _NEEDED_MODELS)


def why_unanswerable(model: Any, question: str, choices: list[str]) -> str | None:
    """Why a target cannot answer a question about any clip; None if it may, or if it does not say so.

    Args:
        model: the target's chat model. One that knows only certain questions has a method
            `why_unanswerable(question, choices)`.
        question: the question.
        choices: the choices, possibly none.
    """
    ask = getattr(model, "why_unanswerable", None)
    if ask is None:
        return None
    found: str | None = ask(question, choices)
    return found
