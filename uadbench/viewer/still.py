"""Still pictures of a viewer's planes: what a page shows on paper, and where its scripts do not run."""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion

from uadbench.viewer.volumes import embedded, normalised

SIDE = 340  # pixels, longer side of a picture, as in panel.js
FRACTIONS = (0, 1 / 254, 127 / 254, 1)  # of the range above the threshold; the colours there are those of volume.js
COLOURS = ((150, 45, 0), (190, 75, 0), (235, 150, 20), (255, 245, 150))
TRUTH = (86, 180, 233)
OPACITY = 217 / 255
QUALITY = 85


def place(truth: np.ndarray | None, score: np.ndarray) -> tuple[int, int, int]:
    """The voxel at which a viewer starts: in the middle of the axial slice with most of the lesion, else the peak.

    truth (X, Y, Z), may be empty; score (X, Y, Z).
    """
    if truth is None or not truth.any():
        x, y, z = np.unravel_index(int(np.argmax(score)), score.shape)
    else:
        z = np.count_nonzero(truth, axis=(0, 1)).argmax()
        inside = np.argwhere(truth[:, :, z])
        x, y = inside[np.linalg.norm(inside - inside.mean(0), axis=1).argmin()]
    return int(x), int(y), int(z)


def picture(
    scan: np.ndarray,
    axis: int,
    index: int,
    spacing: tuple[float, float, float],
    score: np.ndarray | None = None,
    threshold: float = 0.0,
    truth: np.ndarray | None = None,
) -> str:
    """Data URI (JPEG) of slice `index` across `axis`, the left of the subject on the left, up anterior or superior.

    scan (X, Y, Z) in [0, 1]; score (X, Y, Z) is coloured where it reaches the threshold; truth (X, Y, Z) is outlined;
    spacing: mm.
    """
    sides = [length * scan.shape[k] for k, length in enumerate(spacing)]
    across, up = (sides[k] for k in range(3) if k != axis)
    size = tuple(max(1, round(SIDE * side / max(across, up))) for side in (across, up))

    def large(volume: np.ndarray, smooth: bool = False) -> np.ndarray:
        plane = Image.fromarray(np.ascontiguousarray(volume.take(index, axis).T[::-1]))
        return np.asarray(plane.resize(size, Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST))

    pixels = np.repeat(large(normalised(scan).bytes, smooth=True)[..., None].astype(float), 3, axis=2)
    if score is not None:
        values = large(score.astype(np.float32))
        range_ = float(score.max()) - threshold
        level = np.clip((values - threshold) / range_, 0, 1) if range_ > 0 else np.ones_like(values)
        colours = np.stack([np.interp(level, FRACTIONS, channel) for channel in zip(*COLOURS, strict=True)], axis=2)
        mixed = OPACITY * colours + (1 - OPACITY) * pixels
        pixels = np.where(((values >= np.float32(threshold)) & (values > 0))[..., None], mixed, pixels)
    if truth is not None:
        inside = large((truth != 0).astype(np.uint8)) > 0
        pixels[inside & ~binary_erosion(inside, iterations=2)] = TRUTH
    stream = io.BytesIO()
    Image.fromarray(np.rint(pixels).astype(np.uint8)).save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return f"data:image/jpeg;base64,{embedded(stream.getvalue())}"
