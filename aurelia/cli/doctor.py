"""What is installed, which profiles can run, and what each of them lacks. No weights are loaded; nothing is paid."""

import platform
from collections.abc import Sequence
from itertools import chain
from typing import Any

from aurelia import profiles
from aurelia.cli.home import describe_home, home_text
from aurelia.cli.text import count_noun
from aurelia_core.errors import InputError
from aurelia_core.installation import install_command, installed_version, package_version
from aurelia_core.models.base import as_clip_model
from aurelia_core.models.client import ModelClient
from aurelia_core.models.data_dates import data_dates
from aurelia_core.settings import Settings
from aurelia_core.witnesses.panel import witness_states
from state.context import make_context

_PACKAGES: dict[str, tuple[str, str]] = {
    "langgraph": ("the graph", ""),
    "langsmith": ("traces", ""),
    "decord": ("video decoding (PyAV where it has no wheel)", ""),
    "av": ("audio decoding", ""),
    "librosa": ("audio analysis", ""),
    "langgraph-cli": ("langgraph dev and Studio", "server"),
    "langchain-openai": ("OpenAI and compatible servers", "openai"),
    "langchain-google-genai": ("Gemini", "google"),
    "langgraph-checkpoint-postgres": ("threads in PostgreSQL", "postgres"),
    "torch": ("local weights", "local"),
    "transformers": ("local weights", "local"),
    "torchvision": ("video processors of local weights; without it clips are shown as frames", ""),
    "pygraphviz": ("pictures of the graph", "draw"),
}
"""Each package: its use, and the extra that installs it ("": no extra is needed, or there is none)."""

_NAMED_MODELS = 3
_OFFLINE_PACKAGES = ("numpy", "scipy", "librosa", "av")


def examine_machine(settings: Settings, *, ask: bool = False, probe: Sequence[str] = ()) -> dict[str, Any]:
    """Examine this machine.

    Args:
        settings: the operator's settings.
        ask: also check keys and model names with the providers of profiles that lack nothing here.
        probe: models to ask what they hear and see; these calls are paid once.

    Returns:
        A dict: version; python (version); home (`aurelia.cli.home.describe_home`); packages (name, version or null, and
        its use); media_roots (their number; null if any
        file may be read); local (where local weights would run, in words; null without their packages); traces
        (whether and where runs are traced, in words); witnesses (name, kinds of claims, and lacks: what is missing);
        data (what, models, read, whether it is old, and the file: when names, limits, prices and tokens of models were
        last read); profiles (name, description, models, and lacks: what is missing); senses (model, sense and finding
        of each probe).
    """
    media_roots = None
    if not settings.allow_any_file:
        media_roots = len(settings.media_roots)
    client = None
    if ask:
        client = ModelClient(settings)
    return {
        "version": installed_version(),
        "python": platform.python_version(),
        "home": describe_home(settings),
        "packages": [_examine_package(name) for name in _PACKAGES],
        "media_roots": media_roots,
        "local": _describe_local_weights(),
        "traces": _describe_tracing(settings),
        "witnesses": [state._asdict() for state in witness_states()],
        "data": [{**part._asdict(), "read": part.read.isoformat(), "old": part.is_old()} for part in data_dates()],
        "profiles": [examine_profile(name, client) for name in profiles.profile_names()],
        "senses": _probe_models(settings, probe) if probe else [],
    }


def _probe_models(settings: Settings, models: Sequence[str]) -> list[dict[str, str]]:
    """What the models hear and see; the answers are kept in the home, and asked for once."""
    import asyncio

    from aurelia.bench.runner import RunResources
    from aurelia.report.hearing import probe_models
    from aurelia.report.recipes import RecipeInput
    from state.context import Context

    out = settings.home / "probe"
    work = RecipeInput(out / "heard.jsonl", out, RunResources(settings))
    found = asyncio.run(probe_models(work, models, Context()))
    return [{"model": one.model, "sense": one.sense, "finding": one.verdict} for one in found]


def _examine_package(name: str) -> dict[str, Any]:
    use, extra = _PACKAGES[name]
    version = package_version(name)
    if extra and version is None:
        use = f"{use}: {install_command(extra)}"
    return {"name": name, "version": version, "for": use}


def examine_profile(name: str, client: ModelClient | None) -> dict[str, Any]:
    """A profile: name, description, models, and lacks (what is missing here).

    Args:
        name: the name of the profile.
        client: asks the providers whether they accept key and model name; None: they are not asked.
    """
    values = profiles.read_profile(name)
    context = make_context({key: value for key, value in values.items() if key != "description"})
    models = context.models()
    model_ids = [*models.values(), *context.fallbacks().values(), *filter(None, [context.describer])]
    lacks = set(chain.from_iterable(map(_missing_requirements, model_ids)))
    if client and not lacks:
        lacks = {refusal for model_id in model_ids if (refusal := _provider_refusal(model_id, client))}
    return {"name": name, "description": values.get("description", ""), "models": models, "lacks": sorted(lacks)}


def _missing_requirements(model_id: str) -> list[str]:
    """What is missing before a model can be asked."""
    from aurelia_core.models.capabilities import missing_requirements
    from aurelia_core.models.registry import known_providers

    provider, _, name = model_id.partition(":")
    if provider not in known_providers():
        return [f"a provider named {provider!r}"]
    lacks = missing_requirements(provider)
    if provider == "offline":
        lacks = [f"the package {package}" for package in _OFFLINE_PACKAGES if package_version(package) is None] + lacks
    if provider == "transformers" and package_version("huggingface_hub"):
        from aurelia_core.models.local.weights import missing_weights

        lacks += missing_weights(name)
    return lacks


def _provider_refusal(model_id: str, client: ModelClient) -> str | None:
    """Why the provider refuses the key or the model's name; None if it accepts both, or does not answer."""
    try:
        as_clip_model(client.model(model_id)).check_credentials()
    except InputError as fault:
        return f"a key and a name that are accepted: {fault}"
    return None


def _describe_local_weights() -> str | None:
    """Where local weights would run, and how they receive a clip; None without their packages."""
    if package_version("torch") is None or package_version("transformers") is None:
        return None
    from aurelia_core.models.local.loading import choose_placement, describe_placement

    form = "as frames with times"
    if package_version("torchvision"):
        form = "as video where the model family takes it, else as frames"
    try:
        return f"{describe_placement(choose_placement())}; clips are shown {form}"
    except InputError as fault:
        return str(fault)


def _describe_tracing(settings: Settings) -> str:
    """Whether runs are traced, where to, and whether with media."""
    from langsmith.utils import get_tracer_project, tracing_is_enabled

    if not tracing_is_enabled():
        return "off (LANGSMITH_TRACING); aurelia trace shows a stored thread without them"
    media = "without media"
    if settings.trace_contact_sheet:
        media = "with a contact sheet of each clip"
    return f"to the LangSmith project {get_tracer_project()!r}, {media}"


def _describe_data(part: dict[str, Any]) -> str:
    of = ""
    if part["models"]:
        more = len(part["models"]) - _NAMED_MODELS
        named = ", ".join(part["models"][:_NAMED_MODELS])
        of = f" of {named}" + (f" and {more} more" if more > 0 else "")
    advice = ""
    if part["old"]:
        advice = f", more than 90 days ago: check it in {part['file']}"
    return f"  {part['read']}  {part['what']}{of}{advice}"


def render_findings(found: dict[str, Any]) -> str:
    """Render the findings as text."""
    text = [
        f"AURELIA {found['version']}, Python {found['python']}",
        f"Home: {home_text(found['home'])}",
        "",
        "Packages",
    ]
    for package in found["packages"]:
        text.append(f"  {package['name']:<30}{package['version'] or 'not installed':<16}{package['for']}")
    readable = "any local file"
    if found["media_roots"] is not None:
        readable = f"files under {count_noun(found['media_roots'], 'folder')} (AURELIA_MEDIA_ROOTS)"
    text += ["", f"Media: the command line reads {readable}"]
    text += [f"Local weights: {found['local'] or 'their packages are not installed'}"]
    text += [f"Traces: {found['traces']}", "", "Witnesses (critic = tools)"]
    for witness in found["witnesses"]:
        state = f"lacks {', '.join(witness['lacks'])}" if witness["lacks"] else "can be asked here"
        text += [f"  {witness['name']:<24}{', '.join(witness['kinds'])}: {state}"]
    text += ["", "Models, as last read from their providers"]
    text += [_describe_data(part) for part in found["data"]]
    text += ["", "Profiles"]
    for profile in found["profiles"]:
        state = "can run here"
        if profile["lacks"]:
            state = f"lacks {', '.join(profile['lacks'])}"
        text += [f"  {profile['name']:<24}{state}", f"  {'':<24}{profile['description']}"]
    if found["senses"]:
        text += ["", "Senses"]
    for one in found["senses"]:
        text.append(f"  {one['model']:<24}{one['finding']}")
    return "\n".join(text)
