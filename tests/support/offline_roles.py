"""The offline agents, called with plain fields as tests write them."""

from collections.abc import Mapping
from typing import Any

from aurelia_core.models.requests import (
    EvaluatorRequest,
    FeedbackRequest,
    GeneratorRequest,
    RoleRequest,
    SummarizerRequest,
    TargetRequest,
)
from aurelia_offline.agents import feedback, generator, summarizer, target
from aurelia_offline.critic import evaluate


def _typed(kind: type[RoleRequest], fields: Mapping[str, Any]) -> Any:
    return kind.parse(fields)


def generate_reasoning(fields: Mapping[str, Any], *arguments: Any, **more: Any) -> Any:
    return generator.generate_reasoning(_typed(GeneratorRequest, fields), *arguments, **more)


def summarize_reasoning(fields: Mapping[str, Any]) -> dict[str, str]:
    return summarizer.summarize_reasoning(_typed(SummarizerRequest, fields))


def evaluate_caption(fields: Mapping[str, Any], store: Any) -> dict[str, Any]:
    return evaluate.evaluate_caption(_typed(EvaluatorRequest, fields), store)


def advise(fields: Mapping[str, Any]) -> dict[str, Any]:
    return feedback.advise(_typed(FeedbackRequest, fields))


def answer_as_target(fields: Mapping[str, Any], *arguments: Any) -> str:
    return target.answer_as_target(_typed(TargetRequest, fields), *arguments)
