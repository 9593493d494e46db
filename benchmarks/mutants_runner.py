"""Runs pytest for benchmarks/mutants.py: imports the large libraries once, and forks for each run.

Reads a line of JSON for each run: arguments of pytest, file for its output, seconds of processor, bytes of memory.
Answers with a line: the exit code, negative for a signal, or `stopped` at the limit. Nothing tested is imported here.
"""

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time

import pytest

LIBRARIES = ("ants", "diffusers.models.unets.unet_2d", "huggingface_hub", "hypothesis", "jinja2", "jsonschema")
LIBRARIES += ("matplotlib.pyplot", "nibabel", "pandas", "PIL.Image", "pydantic", "safetensors.torch")
LIBRARIES += ("scipy.stats", "sklearn.metrics", "torch", "xdist.plugin", "yaml")


def forked(arguments: list[str], output: str, seconds: float, memory: int) -> int:
    """Identifier of a new process, the leader of its own group, in which pytest runs."""
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
    for target, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, os.open(output, os.O_WRONLY | os.O_CREAT))):
        os.dup2(source, target)
    os.dup2(1, 2)
    code = 3
    try:
        code = int(pytest.main(arguments))
    finally:
        sys.stdout.flush()
        os._exit(code)


def ended(pid: int, seconds: float) -> str:
    """Wait for a process, and end what it has started."""
    late = time.monotonic() + 10 * seconds  # a process may wait, which takes no processor
    status, code = 0, ""
    while not code:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = str(os.waitstatus_to_exitcode(status))
        elif time.monotonic() > late:
            code = "stopped"
        else:
            time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    if code == "stopped":
        os.waitpid(pid, 0)
    return "stopped" if code == str(-signal.SIGXCPU) else code


def main() -> None:
    sys.path[0] = os.getcwd()  # as `python -m pytest` has it
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        job = json.loads(line)
        print(ended(forked(**job), job["seconds"]), flush=True)


if __name__ == "__main__":
    main()
