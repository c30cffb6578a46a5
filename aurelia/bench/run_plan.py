"""The plan of a benchmark run, the settings that decide its answers, and the check that a resumed run has the same."""

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
from nodes.candidates import strategy_roles
from state.context import Context, with_current_names
from targets import find_target

RECORDED_PACKAGES = (
    "aurelia", "langgraph", "langchain-core", "langchain-openai", "langchain-google-genai", "transformers", "torch",
    "numpy", "scipy", "librosa", "av", "decord", "pydantic",
)  # fmt: skip
_OF_THE_STRATEGY = ("strategy", "candidates", "guide", "patience", "plan_tokens", "max_calls")
_FREE_SETTINGS = ("profile", "compare", "rollout")
"""Settings that may differ when a run is resumed.

`profile` is only a name, the arms replace `compare`, and each rollout is stored separately.
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a whole run over all its sessions; None is no limit. At a limit no new question starts."""

    cost_usd: float | None = None
    tokens: int | None = None
    seconds: float | None = None
    calls: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is carried out.

    Attributes:
        arms: The answers wanted: `zero_shot`, `aurelia`, or both.
        tasks: Only questions of these tasks; empty means all.
        limit: Only the first `limit` questions; may grow from one session to the next.
        concurrency: Most answers in progress, and most calls to each provider, at the same time.
        rpm: Most calls a minute, by provider.
        max_tries: Most tries of a failed question, one in each session.
        require_media: Leave out questions whose media are missing, instead of refusing the run.
        stop_after_failures: A session stops if its first answers, this many, all fail with one error; 0 never stops.
        budget: Limits of the run.
    """

    arms: tuple[Arm, ...] = ARMS
    tasks: tuple[Task, ...] = ()
    limit: int | None = None
    concurrency: int = 8
    rpm: Mapping[str, float] = field(default_factory=dict)
    max_tries: int = 3
    require_media: bool = False
    stop_after_failures: int = 8
    budget: Budget = Budget()

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            InputError: An arm is unknown, there is no arm, or a number is out of bounds.
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
            "budget in calls": self.budget.calls,
            "budget in seconds": self.budget.seconds,
        }
        for name, number in numbers.items():
            if number is not None and number <= 0:
                raise InputError(f"The {name} is {number}: it must be more than 0.")


def make_plan(*, arms: str, tasks: Sequence[str], rpm: Sequence[str], **known: Any) -> Plan:
    """Makes a plan from the text of a command line.

    Args:
        arms: Names of arms, separated by commas.
        tasks: Names of tasks.
        rpm: Entries PROVIDER=N.
        **known: The other attributes of a plan.

    Raises:
        InputError: A value cannot be used.
    """
    wanted: Any = {name.strip() for name in arms.split(",") if name.strip()}
    if unknown := sorted(set(tasks) - set(get_args(Task))):
        raise InputError(f"There is no task {unknown[0]!r}: use one of {', '.join(get_args(Task))}.")
    ordered = tuple(arm for arm in ARMS if arm in wanted)
    if len(ordered) < len(wanted) or not ordered:
        raise InputError(f"The arms {arms!r} cannot be run: use {' or '.join(ARMS)}, or both, separated by a comma.")
    chosen: Any = tuple(sorted(set(tasks)))
    return Plan(arms=ordered, tasks=chosen, rpm=dict(map(_parse_rate, rpm)), **known)


def _parse_rate(entry: str) -> tuple[str, float]:
    provider, _, number = entry.partition("=")
    try:
        return provider, float(number)
    except ValueError:
        raise InputError(f"--rpm {entry} cannot be used: write PROVIDER=CALLS_A_MINUTE, as in openai=60.") from None


def answer_settings(context: Context, plan: Plan) -> dict[str, Any]:
    """All settings that decide the answers of a run: those of each question, and the selection of questions."""
    arms = [arm for arm in ARMS if arm in plan.arms]
    # A benchmark asks no person, so `review` decides nothing.
    return {**context.model_dump(mode="json", exclude={"review"}), "arms": arms, "tasks": sorted(plan.tasks)}


def arm_context(context: Context, arm: Arm) -> Context:
    """The settings of a question in an arm: without compare; zero-shot has no strategy."""
    changes: dict[str, Any] = {"compare": False}
    if arm == "zero_shot":
        changes |= {name: Context.model_fields[name].default for name in _OF_THE_STRATEGY}
    return context.model_copy(update=changes)


def all_planned_models(context: Context, plan: Plan) -> set[str]:
    """Every model that the plan's arms may ask, with fallbacks and the describer, as `provider:model`."""
    roles = planned_models(context, plan)
    instead = [spec for role, spec in context.fallbacks().items() if role in roles]
    return {*roles.values(), *instead, *filter(None, [context.describer])}


def planned_models(context: Context, plan: Plan) -> dict[Role, str]:
    """The models that the plan's arms ask, by role."""
    if plan.arms == ("zero_shot",):
        return {"target": context.target}
    models = context.models()
    return {role: models[role] for role in strategy_roles(context, tuple(models))}


def read_planned_records(path: Path, plan: Plan) -> list[Record]:
    """The records of a file that the plan asks about, in file order.

    Raises:
        InputError: The file cannot be used, or holds none of them.
    """
    records = [record for record in read_records(path) if not plan.tasks or record.task in plan.tasks]
    if records:
        return records
    selection = ""
    if plan.tasks:
        selection = f" of the tasks {', '.join(plan.tasks)}"
    raise InputError(f"{path.name} holds no questions{selection}: there is nothing to ask.")


def records_sha256(records: Iterable[Record]) -> str:
    """SHA-256 (hex) of the records' content."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(f"{record.to_json_line()}\n".encode())
    return digest.hexdigest()


def installed_versions() -> dict[str, str]:
    """Versions of the installed packages that may influence an answer."""
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
    """Creates a run in this file, or opens the existing run if it was made with the same settings.

    Args:
        path: Run file.
        records: The questions.
        context: Settings of each question.
        plan: How the run is carried out.
        media: Name of the media folder.

    Raises:
        InputError: The existing run has other settings, prompts or records; the message names the difference.
    """
    prompts.reload_prompts()
    now: dict[str, Any] = {
        "settings": answer_settings(context, plan),
        "prompts": prompts.prompt_hashes(),
        "target_rows": target_row_hashes(context),
        "records_sha256": records_sha256(records),
    }
    if not RunFile.holds_run(path):
        meta = {**now, "models": planned_models(context, plan), "versions": installed_versions(), "media": media}
        return RunFile.create(path, records, meta)
    run = RunFile.open(path)
    changed = find_differences(_recorded_values(run.meta, now), now)
    if not changed:
        return run
    run.close()
    raise InputError(
        f"{path.name} was made with other settings ({'; '.join(changed)}): use those, or name another file."
    )


def target_row_hashes(context: Context) -> dict[str, str]:
    """First 12 hex digits of the SHA-256 of each target model's row, which decides how that model is asked."""
    model_ids = [context.target, context.target_fallback]
    rows = {model_id: find_target(model_id).model_dump_json() for model_id in model_ids if model_id}
    return {model_id: hashlib.sha256(row.encode()).hexdigest()[:12] for model_id, row in rows.items()}


def _recorded_values(meta: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Recorded values of an existing run in today's form; a value that an older version did not record is unchanged."""
    found: dict[str, Any] = {}
    for group, value in now.items():
        found[group] = meta.get(group, value)
        if isinstance(value, dict) and group != "settings":
            found[group] = {**value, **found[group]}
        if group == "target_rows":
            # Another target is named by the settings already.
            found[group] = {model_id: found[group][model_id] for model_id in value}
    defaults = Context().model_dump(mode="json")
    recorded = with_current_names(found["settings"])
    found["settings"] = {name: recorded.get(name, defaults.get(name)) for name in {*now["settings"], *recorded}}
    return found


def find_differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The differences, each as "key: was -> now"; settings that may differ are ignored."""
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
    if isinstance(value, str) and len(value) == 64:
        return value[:12]
    return str(value)
