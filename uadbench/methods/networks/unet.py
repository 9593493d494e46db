"""U-Net of diffusers, and its application to images of any size."""

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor, nn
from torch.nn import functional as F

from uadbench.methods.networks.output import OutputConv2d
from uadbench.methods.params import UNetParams


def unet(params: UNetParams) -> UNet2DModel:
    """DDPM's U-Net in diffusers' implementation, on images whose s x s voxels are folded into channels."""
    fold = params.unshuffle**2
    levels = range(1, len(params.widths) + 1)
    chosen = params.attention_only or tuple(level for level in levels if level >= params.attention_from)
    kind = ["Attn" if level in chosen else "" for level in levels]
    network = UNet2DModel(
        in_channels=fold,
        out_channels=fold,
        block_out_channels=params.widths,
        layers_per_block=params.layers,
        down_block_types=tuple(f"{k}DownBlock2D" for k in kind),
        up_block_types=tuple(f"{k}UpBlock2D" for k in reversed(kind)),
        norm_num_groups=params.groups,
        attention_head_dim=8,
        add_attention=bool(chosen),  # in the middle block
    )
    if params.residual:
        nn.init.zeros_(network.conv_out.weight)
        nn.init.zeros_(network.conv_out.bias)
    network.conv_out = OutputConv2d.of(network.conv_out)
    return network


def apply_unet(network: UNet2DModel, images: Tensor, t: Tensor | int, params: UNetParams) -> Tensor:
    """Run a U-Net on images (N, C, H, W) at times t (N,) or one for all; the output has the images' height and width.

    Images are zero-padded to multiples of the network's down-sampling factor. A single t is passed as a tensor: a
    compiled network would be recompiled for every other number.
    """
    if isinstance(t, int):
        t = torch.full((len(images),), t, device=images.device)
    height, width = images.shape[-2:]
    multiple = params.unshuffle * 2 ** (len(params.widths) - 1)
    padded = F.pad(images, (0, -width % multiple, 0, -height % multiple))
    folded = F.pixel_unshuffle(padded, params.unshuffle).contiguous(memory_format=torch.channels_last)
    output = F.pixel_shuffle(network(folded, t, return_dict=False)[0], params.unshuffle)
    return output[..., :height, :width]
