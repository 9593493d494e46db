"""Every method on a device without values: no tensors on two devices, no waits in training steps."""

import json
import subprocess
import sys

import pytest

from tests.commands import ROOT
from uadbench.methods import registry

pytestmark = pytest.mark.slow

NOISE, SHAPES = "uadbench/methods/anomalies/noise.py", "uadbench/methods/anomalies/shapes.py"


def examined(*arguments: str) -> list[dict]:
    command = [sys.executable, "-m", "tests.fake_device", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_no_method_mixes_devices_or_waits_in_training():
    found = examined()
    assert [one["method"] for one in found] == registry.names()
    assert {one["method"]: one["fault"] for one in found if one["fault"]} == {}
    waits = {(one["method"], phase): places for one in found for phase, places in one["waits"].items() if places}
    # PatchCore reads once where to begin; of a volume to score, slices with brain are counted and maps are checked.
    training = {key: places for key, places in waits.items() if key[1] not in ("score", "final")}
    assert training.keys() <= {("patchcore", "choose")}
    for (name, _), places in waits.items():
        assert sum(places.values()) <= 3, (name, places)


def line_of(path: str, text: str) -> int:
    return next(n for n, line in enumerate((ROOT / path).read_text().splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("path", "old", "new", "method"),
    [
        (NOISE, "generator=generator, device=generator.device)\n    field", "generator=generator)\n    field", "dae"),
        (SHAPES, "y = torch.arange(image[0], device=draws.device)", "y = torch.arange(image[0])", "disyre"),
    ],
)
def test_a_tensor_on_another_device_is_found(path, old, new, method):
    (found,) = examined("--plant", path, old, new, method)
    assert found["fault"].startswith(f"{path}:"), found
    assert abs(int(found["fault"].split(":")[1]) - line_of(path, old.split("\n")[0])) <= 1


def test_a_wait_is_found():
    (found,) = examined("--plant", NOISE, "(roll * side).long()", "int(roll * side)", "dae")
    where = line_of(NOISE, "(roll * side).long()")
    assert found["waits"]["train"] == {f"{NOISE}:{where} reads a number": 2}
