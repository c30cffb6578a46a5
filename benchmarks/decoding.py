"""What decoding costs beside bare PyAV, decord and ffmpeg on the same file, and how it grows from 5 s to an hour.

Prints two tables. Each way reads the same frames of one file at the same size, in one thread: CPU seconds, best of
five rounds. The memory is the greatest resident set of the program and of its decoding child.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np

from aurelia_core.media.ingest import decode_frames
from aurelia_core.media.picture import Orientation
from aurelia_core.media.readers import FrameRequest
from aurelia_core.media.source import DecodeSource
from aurelia_offline.world.scene import parse_scene, write_scene
from benchmarks.media import SCENE, measured

ROUNDS = 5
WIDTH, HEIGHT = 320, 180
STEP = 2
"""Every second frame is read: the density of the grid at 24 frames a second."""
LENGTHS = (5, 60, 600, 3600)


def main() -> None:
    """Measure and print both tables."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_scene(parse_scene(SCENE), clip)
        _print_readers(clip, Path(folder))
        _print_growth(clip, Path(folder))


def _print_readers(clip: Path, folder: Path) -> None:
    times = _frame_times(clip)
    numbers = list(range(0, len(times), STEP))
    request = FrameRequest(0, [times[number] for number in numbers], WIDTH, HEIGHT, Orientation(), numbers, len(times))
    status = clip.stat()
    stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    source = DecodeSource(str(clip), stamp, "mov")
    target = str(folder / "frames.npy")
    ways: dict[str, Callable[[], Any]] = {
        "bare PyAV": lambda: _bare_pyav(clip, set(numbers)),
        "this project": lambda: decode_frames(source, target, request, "pyav"),
        "this project, decord": lambda: decode_frames(source, target, request, "decord"),
    }
    try:
        import decord  # noqa: F401

        ways["bare decord"] = lambda: _bare_decord(clip, numbers)
    except ImportError:
        print("decoding: decord is not installed")
    if shutil.which("ffmpeg"):
        ways["ffmpeg"] = lambda: _bare_ffmpeg(clip)
    costs = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            costs[name] = min(costs[name], _cpu_seconds(way))
    print(f"decoding: {len(numbers)} of {len(times)} frames of 1280x720 as {WIDTH}x{HEIGHT}, one thread")
    for name, cost in costs.items():
        ratio = costs["this project"] / cost
        print(f"  {name:22s} {cost:8.2f} s CPU   this project / {name}: {ratio:5.2f} (target: at most 1.3)")


def _cpu_seconds(way: Callable[[], Any]) -> float:
    with measured() as cost:
        way()
    return cost.cpu


def _frame_times(clip: Path) -> list[float]:
    with av.open(str(clip)) as opened:
        stream = opened.streams.video[0]
        return sorted(float(packet.pts * packet.time_base) for packet in opened.demux(stream) if packet.pts is not None)


def _bare_pyav(clip: Path, numbers: set[int]) -> int:
    images = []
    with av.open(str(clip)) as opened:
        opened.streams.video[0].codec_context.thread_count = 1
        for number, frame in enumerate(opened.decode(video=0)):
            if number in numbers:
                images.append(frame.to_ndarray(width=WIDTH, height=HEIGHT, format="rgb24", interpolation="BICUBIC"))
    return len(images)


def _bare_decord(clip: Path, numbers: list[int]) -> int:
    import decord

    reader = decord.VideoReader(str(clip), width=WIDTH, height=HEIGHT, num_threads=1)
    count = 0
    for start in range(0, len(numbers), 32):
        count += len(reader.get_batch(numbers[start : start + 32]).asnumpy())
    return count


def _bare_ffmpeg(clip: Path) -> int:
    chosen = f"select='not(mod(n,{STEP}))',scale={WIDTH}:{HEIGHT}:flags=bicubic"
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-filter_threads", "1", "-i", str(clip), "-vf", chosen]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return len(subprocess.run(command, capture_output=True, check=True).stdout)


_ONE_CLIP = """
import resource, sys, time
from pathlib import Path
from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
store = ClipStore(Settings(home=Path(sys.argv[2]), allow_any_file=True, max_clip_seconds=10000.0, decode_workers=1))
began = time.perf_counter()
ref = store.admit(sys.argv[1])
admitted = time.perf_counter() - began
store.frames(ref, [], 16)
store.frames(ref, [{"start": ref["duration"] / 2, "end": ref["duration"] / 2 + 2}], 16)
store.audio(ref, [{"start": 1.0, "end": 3.0}])
looked = time.perf_counter() - began - admitted
own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from aurelia_core.media.pool import close_decode_pools
close_decode_pools()
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(admitted, looked, own, child)
"""


def _print_growth(clip: Path, folder: Path) -> None:
    small = _small_copy(clip, folder / "small.mp4")
    print("decoding: a clip at 640x360 with sound, admitted, looked at as a whole and closely, and heard")
    print("   length   admit      looks   memory   memory of the decoding child")
    for seconds in LENGTHS:
        path = _repeat(small, seconds, folder / f"{seconds}.mp4")
        command = [sys.executable, "-c", _ONE_CLIP, str(path), str(folder / f"home-{seconds}")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
        admitted, looked, own, child = (float(word) for word in done.stdout.split())
        print(f"  {seconds:5d} s {admitted:6.1f} s {looked:8.1f} s {own / 1024:5.0f} MB {child / 1024:6.0f} MB")


def _small_copy(clip: Path, target: Path) -> Path:
    """The clip at 640x360, its sound as it is."""
    with av.open(str(clip)) as opened, av.open(str(target), "w") as out:
        video = out.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        video.codec_context.max_b_frames = 0
        sound = out.add_stream_from_template(opened.streams.audio[0])
        for packet in opened.demux(opened.streams.video[0], opened.streams.audio[0]):
            if packet.stream.type == "audio":
                if packet.dts is not None:
                    packet.stream = sound
                    out.mux(packet)
                continue
            for frame in packet.decode():
                out.mux(video.encode(frame.reformat(width=640, height=360, format="yuv420p")))
        out.mux(video.encode(None))
    return target


def _repeat(clip: Path, seconds: int, target: Path) -> Path:
    """The clip repeated up to a length, without encoding it again."""
    with av.open(str(target), "w") as out:
        streams: dict[str, Any] = {}
        offset = 0.0
        while offset < seconds:
            length = 0.0
            with av.open(str(clip)) as opened:
                for stream in opened.streams:
                    if stream.type not in streams:
                        streams[stream.type] = out.add_stream_from_template(stream)
                for packet in opened.demux():
                    if packet.dts is None or packet.dts * packet.time_base + offset >= seconds:
                        continue
                    length = max(length, float((packet.dts + packet.duration) * packet.time_base))
                    shift = round(offset / packet.time_base)
                    packet.pts += shift
                    packet.dts += shift
                    packet.stream = streams[packet.stream.type]
                    out.mux(packet)
            offset += np.ceil((length + 0.1) * 24) / 24
    return target


if __name__ == "__main__":
    main()
