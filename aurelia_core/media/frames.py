"""Which decoded frames serve a request, and getting those that the cache lacks: grids, stretches and single frames.

At the usual height whole grids are kept: the entire clip up to 40 s, else a coarse grid over it and fine stretches
where somebody looks closely. Other heights are kept frame by frame.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aurelia_core.arrays import FrameIndices, Images, Mask, Vector
from aurelia_core.media import sampling
from aurelia_core.media.cache import ClipCache
from aurelia_core.media.ingest import ClipFacts
from aurelia_core.media.readers import FrameRequest
from aurelia_core.types import Span

GRID_HEIGHT = 180
"""Height at which grids are kept, pixels."""
MAX_ASPECT_RATIO = 4
"""Times its asked height that an image may be wide: a header can claim pixels of any shape."""
_FINE_WINDOW_SECONDS = 120.0
"""Total seconds of windows up to which a longer clip is decoded finely."""

FrameRange = tuple[float, float, int]
FrameDecoder = Callable[[Path, FrameRequest, FrameRange | None], int]


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """The decoded frames of one clip.

    Attributes:
        clip: its id.
        facts: what was surveyed.
        times, keys: of all its frames.
        cache: where decoded frames are kept.
        grab: decodes wanted frames into a file, in a child process.
    """

    clip_id: str
    facts: ClipFacts
    times: Vector
    key_flags: Mask
    cache: ClipCache
    decode: FrameDecoder

    def select_frames(self, spans: Sequence[Span], count: int, height: int) -> tuple[Vector, Images]:
        """At most `count` frames spread over spans: their times, float64[n], and images, uint8[n, H, W, 3]."""
        blocks = self._blocks(spans, count)
        grid = np.concatenate([indices for _, indices, _ in blocks])
        chosen = grid[sampling.pick_frames(self.times[grid], spans, count)]
        if height != GRID_HEIGHT:
            return self.times[chosen], self._singles(chosen, height)
        parts = []
        for entry, indices, stretch in blocks:
            mine = np.isin(indices, chosen)
            if mine.any():
                block = self._block(entry, indices, stretch)
                parts.append(block if mine.all() else block[mine])
        return self.times[chosen], parts[0] if len(parts) == 1 else np.concatenate(parts)

    def image_size(self, height: int) -> tuple[int, int]:
        """(width, height) of the images for an asked height: the aspect is kept, nothing is enlarged.

        A picture more than `WIDEST` times as wide as high is made as much lower as it takes to keep that width.
        """
        full_width, full_height = self.facts["width"] or 1, self.facts["height"] or 1
        tall = min(height, full_height)
        wide = max(1, round(full_width * tall / full_height))
        if wide <= MAX_ASPECT_RATIO * height:
            return wide, tall
        return MAX_ASPECT_RATIO * height, max(1, round(MAX_ASPECT_RATIO * height * full_height / full_width))

    def _blocks(self, spans: Sequence[Span], count: int) -> list[tuple[str, FrameIndices, FrameRange | None]]:
        """The grids that serve a request: (entry name, frame indices, stretch to verify), in order of time."""
        duration = self.facts["duration"]
        if duration <= sampling.FULL_GRID_SECONDS:
            return [
                (f"grid-{GRID_HEIGHT}.npy", sampling.grid_indices(self.times, 0.0, duration, sampling.GRID_RATE), None)
            ]
        total = sum(end - start for start, end in spans)
        if total > _FINE_WINDOW_SECONDS or total / count >= duration / sampling.COARSE_GRID_FRAMES:
            return [
                (f"coarse-{GRID_HEIGHT}.npy", sampling.coarse_grid_indices(self.times, self.key_flags, duration), None)
            ]
        parts = {int(part) for start, end in spans for part in self._parts(start, end)}
        return [self._frame_range(part) for part in sorted(parts)]

    def _parts(self, start: float, end: float) -> range:
        last = int(np.ceil(end / sampling.FRAME_RANGE_SECONDS - 1e-9))
        return range(
            int(start // sampling.FRAME_RANGE_SECONDS), max(last, int(start // sampling.FRAME_RANGE_SECONDS) + 1)
        )

    def _frame_range(self, part: int) -> tuple[str, FrameIndices, FrameRange]:
        start = part * sampling.FRAME_RANGE_SECONDS
        end = min(start + sampling.FRAME_RANGE_SECONDS, self.facts["duration"])
        inside = int(np.count_nonzero((self.times >= start) & (self.times < end)))
        origin = self.facts["origin"]
        indices = sampling.grid_indices(self.times, start, end, sampling.GRID_RATE)
        # A frame that is still shown when the stretch starts belongs to the stretch before.
        own = indices[self.times[indices] >= start - 1e-6]
        return f"fine-{GRID_HEIGHT}-{part}.npy", own if len(own) else indices, (start + origin, end + origin, inside)

    def _block(self, entry: str, indices: FrameIndices, stretch: FrameRange | None) -> Images:
        width, height = self.image_size(GRID_HEIGHT)
        shape = (len(indices), height, width, 3)
        found = self.cache.read_array(self.clip_id, entry, shape, np.uint8)
        if found is None:
            with self.cache.lock(self.clip_id):
                found = self.cache.read_array(self.clip_id, entry, shape, np.uint8)
                return found if found is not None else self._decode_into_cache(entry, indices, GRID_HEIGHT, stretch)
        return found

    def _decode_into_cache(self, entry: str, indices: FrameIndices, height: int, stretch: FrameRange | None) -> Images:
        """Decode frames and keep them as one entry."""
        with self.cache.workspace() as folder:
            made = self._decode(folder, indices, height, stretch)
            self.cache.store_entry(folder / "frames.npy", self.clip_id, entry)
        self.cache.trim(self.clip_id)
        return made

    def _decode(self, folder: Path, indices: FrameIndices, height: int, stretch: FrameRange | None) -> Images:
        width, tall = self.image_size(height)
        stamps = [float(time) for time in self.times[indices] + self.facts["origin"]]
        ordinals = [int(index) for index in indices] if self.facts["ordinal"] else None
        self.decode(folder / "frames.npy", FrameRequest(stamps, width, tall, self.facts["rotation"], ordinals), stretch)
        images: Images = np.load(folder / "frames.npy", mmap_mode="r")
        return images

    def _singles(self, chosen: FrameIndices, height: int) -> Images:
        """Frames kept one by one; those that are missing are decoded in one job."""
        width, tall = self.image_size(height)
        shape = (tall, width, 3)

        def kept(index: int) -> Images | None:
            return self.cache.read_array(self.clip_id, f"frame-{height}-{index}.npy", shape, np.uint8)

        with self.cache.lock(self.clip_id):
            have = {int(index): kept(int(index)) for index in chosen}
            missing = np.array([index for index, image in have.items() if image is None], np.int64)
            if len(missing):
                with self.cache.workspace() as folder:
                    for index, image in zip(missing, self._decode(folder, missing, height, None), strict=True):
                        have[int(index)] = np.array(image)
                        np.save(folder / "one.npy", image)
                        self.cache.store_entry(folder / "one.npy", self.clip_id, f"frame-{height}-{index}.npy")
                self.cache.trim(self.clip_id)
        return np.stack([image for image in have.values() if image is not None])
