"""Processes of `jax.distributed` on this machine, each with a file that it writes to."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path


class Spawned:
    """``script NUMBER OF PORT ...`` for each of them; a pipe would fill up before it is read."""

    def __init__(self, script: Path, number: int, folder: Path, *arguments: object) -> None:
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        self._told = [folder / f"told{i}of{number}" for i in range(number)]
        self._processes = []
        for i, path in enumerate(self._told):
            command = [str(word) for word in (sys.executable, script, i, number, port, *arguments)]
            environment = os.environ | {"PYTHONHASHSEED": str(i + 1)}
            with path.open("w") as out:
                self._processes.append(
                    subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
                )

    def ended(self) -> list[list[str]]:
        """What each has written, once all have ended well."""
        for process, path in zip(self._processes, self._told, strict=True):
            assert process.wait(timeout=300) == 0, path.read_text()[-3000:]
        return [path.read_text().splitlines() for path in self._told]

    def killed_once_there_is(self, path: Path) -> None:
        """Kill them soon after they have written this file."""
        began = time.monotonic()
        while not path.exists() and time.monotonic() - began < 200:
            time.sleep(0.01)
        time.sleep(0.05)
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        assert path.exists()
