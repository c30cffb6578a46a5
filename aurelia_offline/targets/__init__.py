"""The target rows of this package (entry point `aurelia.targets`) and the weights of the miniature beside them."""

from aurelia_core.types import MediaRef


def in_domain(domain: str, question: str, clip: MediaRef, tracks: list[MediaRef]) -> bool:
    """Whether a question and a clip belong to the `domain` of a target row of this package.

    The only domain is `stage`; its clips have no separate sound tracks.
    """
    from aurelia_offline.world.stage import is_stage_question

    return domain == "stage" and not tracks and is_stage_question(question, clip)
