"""Verb `score`: a trained run on a new scan, the anomaly map in the scan's own space."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--run", "folder", type=PATH, required=True, help="Folder of a finished training run.")
@click.option("--image", type=PATH, required=True, help="Scan to score, NIfTI.")
@click.option("--t1", type=PATH, help="T1-weighted scan of the same session, to place a T2-weighted one by.")
@click.option("--out", type=PATH, required=True, help="Anomaly map to write, NIfTI, on the voxels of the scan.")
@click.option("--map", "name", default="final", help="Which of the method's maps.")
@click.option("--required", type=PATH, help="Run of the method that this one builds on.")
@click.option("--device", default="auto", envvar="HARNESS_DEVICE", show_envvar=True, help="auto, cpu, cuda, cuda:1, …")
def command(
    folder: Path, image: Path, t1: Path | None, out: Path, name: str, required: Path | None, device: str
) -> None:
    """Preprocess a scan as the run's training data were, score it, and bring the map back to the scan."""
    import numpy as np
    import torch

    from harness import device as devices
    from harness.data.placement import prepare_scan
    from harness.data.settings import settings
    from harness.errors import HarnessError
    from harness.evaluation.testing import final_map, score_volume
    from harness.files import atomic
    from harness.training import run
    from harness.training.memory import enough_memory
    from harness.training.seeds import Streams

    chosen = devices.choose(device)
    if not out.name.endswith((".nii", ".nii.gz")):
        raise HarnessError(f"{out}: not a NIfTI name; end it in .nii.gz")
    method, about = run.load(folder, chosen, required=required)
    volume, placement = prepare_scan(image, settings(about["preprocessing"]), about["modality"], t1)
    tensor = torch.from_numpy(np.ascontiguousarray(volume.astype(np.float16), dtype=np.float32)).to(chosen)
    rng = Streams(about["seed"], chosen).child(image.name)
    with enough_memory(f"scoring with {about['method']} on {chosen}", "use --device cpu"):
        if name == "final":  # for most methods a fraction of the work
            maps = {name: final_map(method, tensor, rng, about["method"])}
        else:
            maps = score_volume(method, tensor, rng, about["method"])
    if name not in maps:
        raise HarnessError(f"--map {name}: {about['method']} has no such map; there are {', '.join(maps)}")
    with atomic(out) as partial:
        placement.to_native(maps[name].cpu().numpy()).to_filename(partial)
    click.echo(out)
