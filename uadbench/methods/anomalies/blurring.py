"""Blur as a gradual corruption: the deblurring of cold diffusion (Bansal et al. 2022, arXiv:2208.09392)."""

from dataclasses import dataclass

from torch import Tensor

from uadbench.methods.anomalies.filters import gaussian_blur


@dataclass(frozen=True)
class Blur:
    """Healthy images, float32 (N, 1, H, W), and the brain in them (0 or 1) that a Gaussian blurs: a `Corruption`."""

    healthy: Tensor
    mask: Tensor
    width: float  # voxels, standard deviation at alpha = 1

    def at(self, alpha: Tensor) -> Tensor:
        """The images blurred by a Gaussian of alpha (N,) times `width`; 0 leaves them as they are.

        A mean over voxels of the brain alone, so that it stays as bright at its rim and at the border of a patch, and
        the background 0. The authors blur step by step, which is one Gaussian of the summed variances.
        """
        sigma = alpha * self.width
        brain = gaussian_blur(self.mask, sigma, self.width)
        blurred = gaussian_blur(self.healthy * self.mask, sigma, self.width) / brain.clamp_min(1e-6)
        return blurred * self.mask + self.healthy * (1 - self.mask)
