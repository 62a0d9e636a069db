"""The networks, each of which returns mask logits and heat-map logits (None for what it does not do).

``unet`` is a residual encoder with a slim decoder for both tasks. ``upernet-swin`` (masks) and ``hrnet`` (heat maps) are those of
the published study (Ma et al., Radiologic Practice 2024;39(11):1514-1520).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
import torch.nn.functional as F  # noqa: N812 - the name that the library's users know
from torch import Tensor, nn


class Block(nn.Sequential):
    """Two convolutions with normalisation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        layers: list[nn.Module] = []
        for channels in (inputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        super().__init__(*layers)


class SpineNet(nn.Module):
    """Masks and, if asked for, heat maps, as logits.

    Parameters
    ----------
    backbone
        A timm encoder with strides 2 to 32.
    widths
        Channels of the decoder at strides 16, 8, 4, 2 and 1.
    masks, heat_maps
        Number of output channels; no heat maps if 0.
    """

    def __init__(self, backbone: str, widths: Sequence[int], masks: int, heat_maps: int) -> None:
        super().__init__()
        self.encoder = timm.create_model(backbone, pretrained=False, features_only=True, in_chans=1)
        skips = self.encoder.feature_info.channels()
        inputs = [skips[-1], *widths[:3]]
        self.up = nn.ModuleList(Block(i + s, o) for i, s, o in zip(inputs, skips[-2::-1], widths[:4], strict=True))
        self.fine = Block(widths[3] + 1, widths[4])
        self.mask_head = nn.Conv2d(widths[4], masks, 1)
        self.heat_head = nn.Sequential(Block(widths[3], widths[3]), nn.Conv2d(widths[3], heat_maps, 1)) if heat_maps else None
        nn.init.constant_(self.mask_head.bias, -2.0)
        if self.heat_head is not None:
            nn.init.constant_(self.heat_head[1].bias, -4.0)

    def half_resolution(self, image: Tensor) -> Tensor:
        """Return features at stride 2 of images (batch, 1, row, column)."""
        features = self.encoder(image)
        x = features[-1]
        for block, skip in zip(self.up, features[-2::-1], strict=True):
            x = block(torch.cat([F.interpolate(x, size=skip.shape[-2:], mode="nearest"), skip], dim=1))
        return x

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return mask logits (full resolution) and heat-map logits (half resolution)."""
        x = self.half_resolution(image)
        full = F.interpolate(x, size=image.shape[-2:], mode="bilinear", align_corners=False)
        masks = self.mask_head(self.fine(torch.cat([full, image], dim=1)))
        return masks, None if self.heat_head is None else self.heat_head(x)


class SwinUperNet(nn.Module):
    """Masks by a UperNet on a Swin Transformer (tiny), as logits at full resolution."""

    def __init__(self, masks: int, decoder_channels: int = 64) -> None:
        super().__init__()
        self.network = smp.UPerNet(
            encoder_name="tu-swin_tiny_patch4_window7_224",
            encoder_weights=None,
            in_channels=1,
            classes=masks,
            decoder_channels=decoder_channels,
            strict_img_size=False,
        )

    def forward(self, image: Tensor) -> tuple[Tensor, None]:
        """Return mask logits and None."""
        return self.network(image), None


class HighResolutionNet(nn.Module):
    """Heat maps by an HRNet-W18 (small), as logits at half resolution."""

    def __init__(self, heat_maps: int) -> None:
        super().__init__()
        self.encoder = timm.create_model("hrnet_w18_small", pretrained=False, features_only=True, in_chans=1)
        channels = self.encoder.feature_info.channels()
        self.head = nn.Sequential(Block(sum(channels), 64), nn.Conv2d(64, heat_maps, 1))
        nn.init.constant_(self.head[1].bias, -4.0)

    def forward(self, image: Tensor) -> tuple[None, Tensor]:
        """Return None and heat-map logits."""
        features = self.encoder(image)
        size = features[0].shape[-2:]
        same = [F.interpolate(one, size=size, mode="bilinear", align_corners=False) for one in features]
        return None, self.head(torch.cat(same, dim=1))


def build_network(settings: Mapping[str, Any]) -> nn.Module:
    """Return the untrained network that the settings of a training ask for."""
    masks, heat_maps = len(settings["masks"]), settings["heat_maps"]
    if settings["architecture"] == "upernet-swin":
        return SwinUperNet(masks)
    if settings["architecture"] == "hrnet":
        return HighResolutionNet(heat_maps)
    return SpineNet(settings["backbone"], settings["widths"], masks, heat_maps)


class Exported(nn.Module):
    """One output of a network, as probabilities: what is exported.

    Parameters
    ----------
    output
        0 for masks, 1 for heat maps.
    """

    def __init__(self, network: nn.Module, output: int) -> None:
        super().__init__()
        self.network, self.output = network, output

    def forward(self, image: Tensor) -> Tensor:
        """Return probabilities 0..1.

        Raises
        ------
        ValueError
            If the network has no such output.
        """
        logits = self.network(image)[self.output]
        if logits is None:
            raise ValueError(f"the network has no output for {('masks', 'heat maps')[self.output]}")
        return torch.sigmoid(logits)
