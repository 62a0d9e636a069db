"""The networks: a residual encoder with a slim decoder; heat maps leave at half resolution, masks at full resolution."""

from collections.abc import Sequence

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
        return self.masks(x, image), None if self.heat_head is None else self.heat_head(x)

    def masks(self, x: Tensor, image: Tensor) -> Tensor:
        """Return mask logits of features at half resolution."""
        full = F.interpolate(x, size=image.shape[-2:], mode="bilinear", align_corners=False)
        return self.mask_head(self.fine(torch.cat([full, image], dim=1)))


class MaskModel(nn.Module):
    """Only the masks of a network, as probabilities: what is exported."""

    def __init__(self, network: SpineNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return masks 0..1 at full resolution."""
        return torch.sigmoid(self.network.masks(self.network.half_resolution(image), image))


class HeatMapModel(nn.Module):
    """Only the heat maps of a network, as probabilities: what is exported."""

    def __init__(self, network: SpineNet) -> None:
        super().__init__()
        if network.heat_head is None:
            raise ValueError("the network was trained without heat maps")
        self.network, self.head = network, network.heat_head

    def forward(self, image: Tensor) -> Tensor:
        """Return heat maps 0..1 at half resolution."""
        return torch.sigmoid(self.head(self.network.half_resolution(image)))
