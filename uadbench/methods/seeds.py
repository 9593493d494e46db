"""Independent random streams, one per purpose, so that a change of one does not affect another."""

import hashlib
from typing import Any

import torch

#: Streams that select slices stay on the host, which needs their numbers and would wait for the device each step.
HOST = frozenset({"batches", "foreign"})


class Streams:
    """Random generators, made on first use from seed and name, as `streams["anomalies"]`; on `device`, except HOST."""

    def __init__(self, seed: int | str, device: torch.device | str = "cpu") -> None:
        self.seed = seed
        self.device = torch.device(device)
        self._generators: dict[str, torch.Generator] = {}

    def __getitem__(self, name: str) -> torch.Generator:
        if name not in self._generators:
            digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
            generator = torch.Generator("cpu" if name in HOST else self.device)
            generator.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
            self._generators[name] = generator
        return self._generators[name]

    def child(self, name: str) -> "Streams":
        """Separate streams for a part, e.g. one subject, independent of earlier draws."""
        return Streams(f"{self.seed}/{name}", self.device)

    def state_dict(self) -> dict[str, Any]:
        """States of the streams used so far."""
        return {name: generator.get_state() for name, generator in self._generators.items()}

    def load_state_dict(self, states: dict[str, Any]) -> None:
        for name, state in states.items():
            self[name].set_state(state)


def seed_everything(seed: int) -> None:
    """Seed torch's global generators, which initialisation and dropout use, for the stream `init` of a seed."""
    digest = hashlib.sha256(f"{seed}/init".encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
