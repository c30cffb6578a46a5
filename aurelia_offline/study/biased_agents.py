"""Two measuring agents with different strengths, for the study of mixed agents (Table 4).

`keen:ears` hears as finely as `offline:measure` and sees coarsely; `keen:eyes` is the reverse. This holds for the roles
generator and evaluator. Both use the measuring code of the offline agents.
"""

from dataclasses import replace
from typing import Any, Literal, NamedTuple, get_args

from aurelia_core.errors import InputError
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.requests import EvaluatorRequest, RoleRequest
from aurelia_core.recent_cache import RecentCache
from aurelia_core.signals.observation import Observation
from aurelia_core.types import MediaRef, Window
from aurelia_offline.agents.chat import MeasuringChat
from aurelia_offline.critic import evaluate as critic
from aurelia_offline.critic.evidence import Evidence

FineSense = Literal["ears", "eyes"]
FINE_SENSES: tuple[FineSense, ...] = get_args(FineSense)


class SensingLimits(NamedTuple):
    """Upper limits of an agent's senses.

    Attributes:
        frames, samples: frames and audio samples of one look as generator.
        fps, rate: frames per second, and sample rate in Hz, as evaluator.
    """

    frames: int
    samples: int
    fps: float
    rate: int


_NO_LIMIT = 10**9
SENSING_LIMITS: dict[FineSense, SensingLimits] = {
    "ears": SensingLimits(frames=4, samples=_NO_LIMIT, fps=1.5, rate=critic.LISTENING_RATE),
    "eyes": SensingLimits(frames=_NO_LIMIT, samples=8000, fps=critic.FRAMES_PER_SECOND, rate=2000),
}
_MAX_REMEMBERED_CLIPS = 32
_evidence_cache: RecentCache[Evidence] = RecentCache(_MAX_REMEMBERED_CLIPS)


class BiasedChat(MeasuringChat):
    """A measuring model with one fine and one coarse sense.

    Attributes:
        keen: the fine sense.
    """

    keen: FineSense

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {**super()._identifying_params, "keen": self.keen, **SENSING_LIMITS[self.keen]._asdict()}

    def _look(
        self, media: MediaRequest, looks: list[list[Window]], track: MediaRef | None, samples: int
    ) -> Observation:
        senses = SENSING_LIMITS[self.keen]
        limited = replace(media, frames=min(senses.frames, media.frame_count))
        return super()._look(limited, looks, track, min(senses.samples, samples))

    def _reply(self, request: RoleRequest) -> Any:
        if isinstance(request, EvaluatorRequest) and request.media:
            evidence = self._evidence(request.media, request.duration)
            return critic.assess_caption(request.caption, evidence)
        return super()._reply(request)

    def _evidence(self, media: MediaRequest, seconds: float) -> Evidence:
        """The evidence of a clip within this agent's limits; the process caches the latest clips."""
        clip, tracks, senses = media.clip, list(media.tracks), SENSING_LIMITS[self.keen]
        key = (self.keen, *(ref["id"] for ref in [clip, *tracks]))
        return _evidence_cache.get(
            key, lambda: critic.measure_evidence(clip, tracks, seconds, self.store, senses.rate, senses.fps)
        )


def make_biased_agent(name: str, store: Any) -> BiasedChat:
    """The model `keen:name`.

    Raises:
        InputError: there is no agent with this name.
    """
    for one in FINE_SENSES:
        if one == name:
            return BiasedChat(store=store, keen=one)
    raise InputError(f"There is no keen:{name}: use one of {', '.join(FINE_SENSES)}.")
