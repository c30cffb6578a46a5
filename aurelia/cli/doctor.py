"""What is installed here, which profiles can run, and what each lacks. It loads no weights and pays for nothing."""

import platform
from importlib import metadata
from typing import Any

from aurelia import profiles
from aurelia_core.errors import InputError
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from state.context import make_context

_PACKAGES = {
    "langgraph": "the graph",
    "langsmith": "traces",
    "decord": "video decoding (PyAV stands in where it has no wheel)",
    "av": "audio decoding",
    "librosa": "audio analysis",
    "langgraph-cli": "langgraph dev and Studio: pip install -e '.[server]'",
    "langchain-openai": "OpenAI and compatible servers: pip install -e '.[openai]'",
    "langchain-google-genai": "Gemini: pip install -e '.[google]'",
    "langgraph-checkpoint-postgres": "threads in PostgreSQL: pip install -e '.[postgres]'",
    "torch": "local weights: pip install -e '.[local]'",
    "transformers": "local weights: pip install -e '.[local]'",
    "torchvision": "video processors of local weights; without it clips are shown as frames",
    "pygraphviz": "pictures of the graph: pip install -e '.[draw]'",
}


def examine_machine(settings: Settings, *, ask: bool = False) -> dict[str, Any]:
    """Looks at this machine.

    Args:
        settings: the operator's settings.
        ask: also ask the providers of profiles that lack nothing here whether key and model names are good.

    Returns:
        python, packages (name, version or null, what for), media_roots (how many; null when any file may be read),
        local (where local weights would run, in words; null without their packages),
        traces (whether runs are traced, and where to, in words),
        profiles (name, description, models, lacks: what has to be there before it can run).
    """
    return {
        "python": platform.python_version(),
        "packages": [
            {"name": name, "version": _installed_version(name), "for": why} for name, why in _PACKAGES.items()
        ],
        "media_roots": None if settings.any_file else len(settings.media_roots),
        "local": _describe_local_weights(),
        "traces": _describe_tracing(settings),
        "profiles": [
            _examine_profile(name, ModelClient(settings) if ask else None) for name in profiles.profile_names()
        ],
    }


def _examine_profile(name: str, desk: ModelClient | None) -> dict[str, Any]:
    values = profiles.read_profile(name)
    context = make_context({key: value for key, value in values.items() if key != "description"})
    models = context.models()
    specs = [*models.values(), *context.fallbacks().values(), *filter(None, [context.describer])]
    lacks = sorted({lack for spec in specs for lack in _missing_requirements(spec)})
    if desk and not lacks:
        lacks = sorted({fault for spec in specs if (fault := _provider_refusal(spec, desk))})
    return {"name": name, "description": values.get("description", ""), "models": models, "lacks": lacks}


def _missing_requirements(spec: str) -> list[str]:
    """What has to be there before the model `spec` can be asked."""
    from aurelia_core.models.capabilities import missing_requirements
    from aurelia_core.models.registry import known_providers

    provider = spec.partition(":")[0]
    if provider not in known_providers():
        return [f"a provider named {provider!r}"]
    needed = ("numpy", "scipy", "librosa", "av") if provider == "offline" else ()
    lacks = [f"the package {name}" for name in needed if _installed_version(name) is None] + missing_requirements(
        provider
    )
    if provider == "transformers" and _installed_version("huggingface_hub"):
        from aurelia_core.models.local.weights import missing_weights

        lacks += missing_weights(spec.partition(":")[2])
    return lacks


def _provider_refusal(spec: str, desk: ModelClient) -> str | None:
    """What the model's provider has against its key or its name; None when nothing, or when it does not answer."""
    try:
        if look_up := getattr(desk.model(spec), "look_up", None):
            look_up()
    except InputError as fault:
        return f"a key and a name that are accepted: {fault}"
    return None


def _describe_local_weights() -> str | None:
    """Where local weights would run and how a clip would be shown to them; null without their packages."""
    if _installed_version("torch") is None or _installed_version("transformers") is None:
        return None
    from aurelia_core.models.local.loading import choose_placement, describe_placement

    film = (
        "as video where the family takes it, else as frames"
        if _installed_version("torchvision")
        else "as frames with times"
    )
    try:
        return f"{describe_placement(choose_placement())}; clips are shown {film}"
    except InputError as fault:
        return str(fault)


def _describe_tracing(settings: Settings) -> str:
    """Whether runs are traced, where to, and whether with media."""
    from langsmith.utils import get_tracer_project, tracing_is_enabled

    if not tracing_is_enabled():
        return "off (LANGSMITH_TRACING); aurelia trace shows a kept run without them"
    media = "with a contact sheet of each clip" if settings.trace_sheet else "without media"
    return f"to the LangSmith project {get_tracer_project()!r}, {media}"


def _installed_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def render_findings(found: dict[str, Any]) -> str:
    """The findings as text."""
    text = [f"Python {found['python']}", "", "Packages"]
    for package in found["packages"]:
        text.append(f"  {package['name']:<24}{package['version'] or 'not installed':<16}{package['for']}")
    roots = found["media_roots"]
    reads = (
        "any local file"
        if roots is None
        else f"files under {roots} folder{'s' if roots != 1 else ''} (AURELIA_MEDIA_ROOTS)"
    )
    text += ["", f"Media: the command line reads {reads}"]
    text += [f"Local weights: {found['local'] or 'their packages are not installed'}"]
    text += [f"Traces: {found['traces']}", "", "Profiles"]
    for profile in found["profiles"]:
        state = "can run here" if not profile["lacks"] else f"lacks {', '.join(profile['lacks'])}"
        text += [f"  {profile['name']:<24}{state}", f"  {'':<24}{profile['description']}"]
    return "\n".join(text)
