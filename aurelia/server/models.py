"""The models that can run here: those that profiles and target rows name, whose key and packages are present."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from aurelia import profiles
from aurelia_core.models.capabilities import missing_requirements
from aurelia_core.models.registry import known_providers
from state.context import ROLES
from targets import target_rows

# Whether a server or weights are there is known only when they are asked.
_NAMED_BY_OPERATOR = ("compatible", "worker", "transformers")


def runnable_models(patterns: Sequence[str]) -> list[str]:
    """The models that may be suggested, as `provider:model`, in alphabetical order.

    Args:
        patterns: the models that the operator allows; empty: any.
    """
    named = {row.models[0] for row in target_rows().values()}
    for name in profiles.profile_names():
        values = profiles.read_profile(name)
        named |= {str(values[role]) for role in ROLES if role in values}
    return sorted(model_id for model_id in named if _can_run(model_id, patterns))


def _can_run(model_id: str, patterns: Sequence[str]) -> bool:
    provider = model_id.partition(":")[0]
    if model_id == "*" or provider not in known_providers() or provider in _NAMED_BY_OPERATOR:
        return False
    if patterns and not any(fnmatchcase(model_id, pattern) for pattern in patterns):
        return False
    return not missing_requirements(provider)
