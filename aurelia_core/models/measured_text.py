"""What was measured in a clip, as a short text that stands in for sound or picture where a model cannot take them.

A listing of `aurelia_core.signals` at its finest, the same text for the same clip; it interprets nothing.
"""

from collections.abc import Sequence

from aurelia_core.media import ClipStore
from aurelia_core.signals.look import MAX_SAMPLE_RATE, observe_clip
from aurelia_core.signals.observation import DetectedSound, Motion, Observation, describe_position
from aurelia_core.types import MediaRef, Window

MOST_LINES = 120
# A thousand seconds at the full rate; longer sound is measured at a lower one, as its heading says.
_MOST_SAMPLES = 16_000_000
_FEWEST_FRAMES = 2


def sound_evidence(store: ClipStore, clip: MediaRef, track: MediaRef | None) -> str:
    """The measured sounds of the clip, or of the track that replaces its own, over its whole length.

    Raises:
        MediaError: the sound cannot be decoded.
    """
    seconds = (track or clip)["audio_seconds"] or (track or clip)["duration"]
    samples = min(_MOST_SAMPLES, int(seconds * MAX_SAMPLE_RATE) + MAX_SAMPLE_RATE)
    seen = observe_clip(store, clip, track, [], _FEWEST_FRAMES, samples)
    if not seen.audio_spans:
        return "The sound is too long to be measured."
    lines = [f"Measured in the sound, listened to at {seen.sample_rate} samples a second:"]
    lines += _listed([_sound(sound) for sound in seen.sounds], "no separate sound")
    if seen.silences:
        lines.append("Silence: " + ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in seen.silences))
    if seen.tempo:
        lines.append(f"Steady beat: {seen.tempo.bpm:.0f} a minute (strength {seen.tempo.strength:.2f} of 1)")
    return "\n".join(lines)


def picture_evidence(store: ClipStore, clip: MediaRef, windows: Sequence[Window], frames: int) -> str:
    """The measured movements, colours, cuts and flashes in the windows ([]: the whole clip), from so many frames.

    Raises:
        MediaError: the picture cannot be decoded.
    """
    seen = observe_clip(store, clip, None, windows, frames, 1)
    lines = [f"Measured in the picture, from {frames} frames at most (times to within {seen.frame_gap:.2f} s):"]
    lines += _listed([_motion(motion) for motion in seen.motions], "no movement")
    return "\n".join([*lines, *_scenery(seen)])


def _scenery(seen: Observation) -> list[str]:
    colours = [f"{colour.name} {colour.share:.0%}{' (background)' * colour.background}" for colour in seen.colours]
    lines = [f"Colours: {', '.join(colours)}"] if colours else []
    for name, times in (("Cuts", seen.cuts), ("Flashes", seen.flashes)):
        if times:
            lines.append(f"{name}: {', '.join(f'{time:.2f} s' for time in times)}")
    return lines


def _listed(lines: list[str], none: str) -> list[str]:
    left = len(lines) - MOST_LINES
    more = [f"- and {left} more, which are left out here"] if left > 0 else []
    return [f"- {line}" for line in lines[:MOST_LINES] or [none]] + more


def _sound(sound: DetectedSound) -> str:
    pitch = f", {sound.pitch:.0f} Hz" if sound.pitch else ""
    return f"{sound.start:.2f}-{sound.end:.2f} s: {sound.sound_class}{pitch}, {sound.level:.1f} dBFS"


def _motion(motion: Motion) -> str:
    what = motion.colour or "something of several colours"
    return (
        f"{motion.start:.2f}-{motion.end:.2f} s: {what} moves, {describe_position(motion.x, motion.y)},"
        f" {motion.extent:.1%} of the picture"
    )
