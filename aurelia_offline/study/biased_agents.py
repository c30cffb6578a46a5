"""Two unlike measuring agents for the study's mixture (Table 4): one hears finely, the other sees finely.

`keen:ears` hears as `offline:measure` does and sees coarsely; `keen:eyes` the other way round. Each is so as generator
and as evaluator; the other roles look at no clip or are not for them. They measure with the offline agents' code.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

from aurelia_core.errors import InputError
from aurelia_core.signals.observation import Observation
from aurelia_core.types import MediaRef, Window
from aurelia_offline.agents.chat import MeasuringChat
from aurelia_offline.agents.recent_cache import RecentCache
from aurelia_offline.critic import evaluate as critic
from aurelia_offline.critic.evidence import Evidence

FineSense = Literal["ears", "eyes"]
FINE_SENSES: tuple[FineSense, ...] = get_args(FineSense)


class SensingLimits(NamedTuple):
    """How finely an agent senses at best.

    Attributes:
        frames, samples: of one look as generator.
        fps, rate: frames a second, and Hz, as evaluator.
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
        keen: the fine one.
    """

    keen: FineSense

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {**super()._identifying_params, "keen": self.keen, **SENSING_LIMITS[self.keen]._asdict()}

    def _merged(
        self, fields: Mapping[str, Any], looks: list[list[Window]], track: MediaRef | None, shared_by: int
    ) -> Observation:
        senses = SENSING_LIMITS[self.keen]
        frames = min(senses.frames, int(fields.get("frames") or 16))
        samples = min(senses.samples, int(fields.get("samples") or 48000))
        return super()._merged({**fields, "frames": frames, "samples": samples}, looks, track, shared_by)

    def _reply(self, fields: Mapping[str, Any]) -> Any:
        if fields["role"] != "evaluator":
            return super()._reply(fields)
        return critic.assess_caption(str(fields.get("caption") or ""), self._evidence(fields))

    def _evidence(self, fields: Mapping[str, Any]) -> Evidence:
        """What this agent's senses make of a clip; the latest clips are remembered in this process."""
        clip, tracks, senses = fields["clip"], list(fields.get("tracks") or []), SENSING_LIMITS[self.keen]
        key = (self.keen, *(str(ref["id"]) for ref in [clip, *tracks]))
        seconds = float(fields.get("duration") or 0.0)
        return _evidence_cache.get(
            key, lambda: critic.measure_evidence(clip, tracks, seconds, self.store, senses.rate, senses.fps)
        )


def make_biased_agent(name: str, store: Any) -> BiasedChat:
    """The model `keen:name`.

    Raises:
        InputError: there is no such agent.
    """
    for one in FINE_SENSES:
        if one == name:
            return BiasedChat(store=store, keen=one)
    raise InputError(f"There is no keen:{name}: use one of {', '.join(FINE_SENSES)}.")
