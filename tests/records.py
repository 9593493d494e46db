"""Records of trained runs, `run.json`, without a training."""

from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENVIRONMENT = {
    **{"commit": COMMIT, "modified": False, "python": "3.11.9", "packages": {"numpy": "2.3.5", "torch": "2.13.0"}},
    **{"started": "2024-05-27T09:30:00+00:00", "finished": "2024-05-27T09:40:00+00:00"},
}
FACTS: dict[str, Any] = {
    **{"family": "S-S", "modality": "t1", "seed": 1, "revision": 2, "spacing": 4.0, "params": {}, "weights": {}},
    **{"dataset": "camcan", "simulated": True, "preprocessing": {}, "subjects": 40, "validation_subjects": 8},
    **{"seconds": 9.5, "precision": "float32", "device": "a CPU", "harness": "0.1.0", "environment": ENVIRONMENT},
}


def facts(method: str, **changes: Any) -> dict[str, Any]:
    """The record of a run of a method, complete."""
    return FACTS | {"method": method, "title": method.upper()} | changes
