"""Starting a child process without running the parent's main module in it.

`multiprocessing` runs the parent's script again in every spawned child. A script without an `if __name__` guard would
then start its work a second time, and a heavy one would make each child slow. Our children need neither: this is the
standard library's launch (posix) with that one step left out.
"""

import io
import os
from multiprocessing import popen_spawn_posix, reduction, resource_tracker, spawn, util
from multiprocessing.context import set_spawning_popen
from typing import Any


class Popen(popen_spawn_posix.Popen):
    """A spawned child that knows nothing of the parent's main module."""

    _fds: list[int]

    def _launch(self, process_obj: Any) -> None:
        tracker = resource_tracker.getfd()
        assert tracker is not None
        self._fds.append(tracker)
        preparation = spawn.get_preparation_data(process_obj.name)
        preparation.pop("init_main_from_name", None)
        preparation.pop("init_main_from_path", None)
        message = io.BytesIO()
        set_spawning_popen(self)
        try:
            reduction.dump(preparation, message)
            reduction.dump(process_obj, message)
        finally:
            set_spawning_popen(None)
        parent_read, child_write = os.pipe()
        child_read, parent_write = os.pipe()
        try:
            self._start(tracker, [parent_read, child_write, child_read, parent_write], message)
        finally:
            self.finalizer = util.Finalize(self, _close, [parent_read, parent_write])
            os.close(child_read)
            os.close(child_write)

    def _start(self, tracker: int, pipes: list[int], message: io.BytesIO) -> None:
        parent_read, child_write, child_read, parent_write = pipes
        command = spawn.get_command_line(tracker_fd=tracker, pipe_handle=child_read)
        self._fds.extend([child_read, child_write])
        self.pid = util.spawnv_passfds(
            os.fsencode(spawn.get_executable()), [os.fsencode(part) for part in command], self._fds
        )
        self.sentinel = parent_read
        with open(parent_write, "wb", closefd=False) as pipe:
            pipe.write(message.getbuffer())


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
