"""What a benchmark run is to do, what of it decides the answers, and whether an existing run was made with the same.

It asks nothing and opens no clip.
"""

import hashlib
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

import prompts
from aurelia.bench.records import Record, Task, read_records
from aurelia.bench.run_file import ARMS, Arm, RunFile
from aurelia_core.errors import InputError
from aurelia_core.types import Role
from state.context import Context, with_current_names
from targets import find_target

RECORDED_PACKAGES = (
    "aurelia", "langgraph", "langchain-core", "langchain-openai", "langchain-google-genai", "transformers", "torch",
    "numpy", "scipy", "librosa", "av", "decord", "pydantic",
)  # fmt: skip
_FREE_SETTINGS = ("profile", "compare", "rollout")
"""Settings that may differ: a preset's name decides nothing, the arms say what is compared, a rollout stands apart."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a whole run may use, all its sessions together; None is no limit. Reached, no new question is begun."""

    cost_usd: float | None = None
    tokens: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is carried out.

    Attributes:
        arms: which of the two answers are wanted.
        tasks: only questions of these tasks; empty means all.
        limit: only the first so many of them; may grow from one session to the next.
        concurrency: answers worked on at once, and calls at once to each provider, at most.
        rpm: calls a minute at most, by provider.
        max_tries: how often a question that failed is asked in all, once in each session.
        require_media: leave out questions whose media are not there, instead of refusing the run.
        budget: what the run may use.
    """

    arms: tuple[Arm, ...] = ARMS
    tasks: tuple[Task, ...] = ()
    limit: int | None = None
    concurrency: int = 8
    rpm: Mapping[str, float] = field(default_factory=dict)
    max_tries: int = 3
    require_media: bool = False
    budget: Budget = Budget()

    def __post_init__(self) -> None:
        """Refuses what cannot be carried out.

        Raises:
            InputError: an arm is unknown or there is none, or a number is out of bounds.
        """
        if not self.arms or set(self.arms) - set(ARMS):
            raise InputError(f"The arms {', '.join(self.arms) or '(none)'} cannot be run: use {' or '.join(ARMS)}.")
        numbers: dict[str, float | None] = {
            "limit": self.limit,
            "concurrency": self.concurrency,
            "max_tries": self.max_tries,
            **{f"rpm of {provider}": rate for provider, rate in self.rpm.items()},
            "budget in dollars": self.budget.cost_usd,
            "budget in tokens": self.budget.tokens,
            "budget in seconds": self.budget.seconds,
        }
        for name, number in numbers.items():
            if number is not None and number <= 0:
                raise InputError(f"The {name} is {number}: it must be more than 0.")


def make_plan(*, arms: str, tasks: Sequence[str], rpm: Sequence[str], **known: Any) -> Plan:
    """A plan from text as a command line gives it.

    Args:
        arms: names of arms with commas between.
        tasks: names of tasks.
        rpm: entries PROVIDER=N.
        **known: the other attributes of a plan.

    Raises:
        InputError: one of them cannot be used.
    """
    wanted: Any = {name.strip() for name in arms.split(",") if name.strip()}
    if unknown := sorted(set(tasks) - set(get_args(Task))):
        raise InputError(f"There is no task {unknown[0]!r}: use one of {', '.join(get_args(Task))}.")
    ordered = tuple(arm for arm in ARMS if arm in wanted)
    if len(ordered) < len(wanted) or not ordered:
        raise InputError(f"The arms {arms!r} cannot be run: use {' or '.join(ARMS)}, or both with a comma between.")
    chosen: Any = tuple(sorted(set(tasks)))
    return Plan(arms=ordered, tasks=chosen, rpm=dict(map(_parse_rate, rpm)), **known)


def _parse_rate(entry: str) -> tuple[str, float]:
    provider, _, number = entry.partition("=")
    try:
        return provider, float(number)
    except ValueError:
        raise InputError(f"--rpm {entry} cannot be used: write PROVIDER=CALLS_A_MINUTE, as in openai=60.") from None


def answer_settings(context: Context, plan: Plan) -> dict[str, Any]:
    """All settings that decide the answers of a run: those of a question, and which questions are asked."""
    arms = [arm for arm in ARMS if arm in plan.arms]
    # A benchmark asks no person, so `review` decides nothing.
    return {**context.model_dump(mode="json", exclude={"review"}), "arms": arms, "tasks": sorted(plan.tasks)}


def all_planned_models(context: Context, plan: Plan) -> set[str]:
    """Every model that the plan's arms may ask, fallbacks and the describer included, as `provider:model`."""
    roles = planned_models(context, plan)
    instead = [spec for role, spec in context.fallbacks().items() if role in roles]
    return {*roles.values(), *instead, *filter(None, [context.describer])}


def planned_models(context: Context, plan: Plan) -> dict[Role, str]:
    """The models that the plan's arms ask, by role."""
    return {"target": context.target} if plan.arms == ("zero_shot",) else context.models()


def read_planned_records(path: Path, plan: Plan) -> list[Record]:
    """The records of a file that the plan asks about, in its order.

    Raises:
        InputError: the file cannot be used, or none is left.
    """
    records = [record for record in read_records(path) if not plan.tasks or record.task in plan.tasks]
    if not records:
        of = f" of the tasks {', '.join(plan.tasks)}" if plan.tasks else ""
        raise InputError(f"{path.name} holds no questions{of}: there is nothing to ask.")
    return records


def records_sha256(records: Iterable[Record]) -> str:
    """The SHA-256 (hex) of the records' content."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(f"{record.line()}\n".encode())
    return digest.hexdigest()


def installed_versions() -> dict[str, str]:
    """The versions of what is installed here and may decide an answer."""
    found = {"python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def open_or_create_run(
    path: Path, records: Sequence[Record], context: Context, plan: Plan, media: str | None
) -> RunFile:
    """The run in this file: a new one, or the one that is there, if it was made with the same settings.

    Args:
        path: the run file.
        records: the questions.
        context: the settings of a question.
        plan: how the run is carried out.
        media: the name of the media folder.

    Raises:
        InputError: the run that is there has other settings, prompts or records; the message names the difference.
    """
    told: dict[str, Any] = {
        "settings": answer_settings(context, plan),
        "prompts": prompts.prompt_hashes(),
        "target_rows": target_row_hashes(context),
        "records_sha256": records_sha256(records),
    }
    if not RunFile.begun(path):
        known = {**told, "models": planned_models(context, plan), "versions": installed_versions(), "media": media}
        return RunFile.create(path, records, known)
    run = RunFile.open(path)
    changed = find_differences(_recorded_values(run.meta, told), told)
    if not changed:
        return run
    run.close()
    raise InputError(
        f"{path.name} was begun with other settings ({'; '.join(changed)}): go on with those, or name another file."
    )


def target_row_hashes(context: Context) -> dict[str, str]:
    """The first 12 hex digits of the SHA-256 of the target row of each target model: how that model is asked."""
    model_ids = [context.target, context.target_fallback]
    rows = {model_id: find_target(model_id).model_dump_json() for model_id in model_ids if model_id}
    return {model_id: hashlib.sha256(row.encode()).hexdigest()[:12] for model_id, row in rows.items()}


def _recorded_values(meta: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What an existing run was made with, in today's form. What an older version did not record counts as unchanged."""
    found: dict[str, Any] = {}
    for group, value in now.items():
        found[group] = meta.get(group, value)
        if isinstance(value, dict) and group != "settings":
            found[group] = {**value, **found[group]}
    defaults = Context().model_dump(mode="json")
    recorded = with_current_names(found["settings"])
    found["settings"] = {name: recorded.get(name, defaults.get(name)) for name in {*now["settings"], *recorded}}
    return found


def find_differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, each as "key: was -> now"; what may differ is passed over."""
    found = []
    for group in now:
        old, new = was[group], now[group]
        if not isinstance(new, dict):
            found += [f"{group}: {_shorten(old)} -> {_shorten(new)}"] if old != new else []
            continue
        for key in sorted({*new, *(old or {})} - set(_FREE_SETTINGS)):
            before, after = (old or {}).get(key), new.get(key)
            label = key if group == "settings" else f"{group}.{key}"
            found += [f"{label}: {_shorten(before)} -> {_shorten(after)}"] if before != after else []
    return found


def _shorten(value: Any) -> str:
    return str(value)[:12] if isinstance(value, str) and len(value) == 64 else str(value)
