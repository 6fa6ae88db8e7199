"""The network of voxgrad as a plain torch.nn.Module, written in the obvious way.

It is the oracle of the tests and the proof that a weights file is ordinary PyTorch: a file loads
with strict=True.  Shapes are (N, C, D, H, W); D, H and W must be multiples of 4.
"""
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """B(n): twice 3x3x3 convolution, group normalisation, ReLU."""

    def __init__(self, channels_in, channels, groups, epsilon):
        super().__init__()
        self.conv1 = nn.Conv3d(channels_in, channels, kernel_size=3, padding=1)
        self.norm1 = nn.GroupNorm(groups, channels, eps=epsilon)
        self.conv2 = nn.Conv3d(channels, channels, kernel_size=3, padding=1)
        self.norm2 = nn.GroupNorm(groups, channels, eps=epsilon)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(x)))


class UNet3d(nn.Module):
    def __init__(
        self, in_channels=2, filters=(16, 32, 64), groups=8, align_corners=True, epsilon=1e-5
    ):
        super().__init__()
        a, b, c = filters
        self.enc1 = Block(in_channels, a, groups, epsilon)
        self.enc2 = Block(a, b, groups, epsilon)
        self.mid = Block(b, c, groups, epsilon)
        self.dec2 = Block(b + c, b, groups, epsilon)
        self.dec1 = Block(a + b, a, groups, epsilon)
        self.head = nn.Conv3d(a, 1, kernel_size=1)
        self.pool = nn.MaxPool3d(2)
        self.up = nn.Upsample(scale_factor=2, mode="trilinear", align_corners=align_corners)

    def forward(self, x):
        """Logits (N, 1, D, H, W) of x (N, in_channels, D, H, W)."""
        skip1 = self.enc1(x)
        skip2 = self.enc2(self.pool(skip1))
        x = self.mid(self.pool(skip2))
        x = self.dec2(torch.cat([skip2, self.up(x)], dim=1))
        x = self.dec1(torch.cat([skip1, self.up(x)], dim=1))
        return self.head(x)


def dice_per_patch(logits, y, epsilon=1e-5):
    """1 - (2 sum(p y) + e) / (sum(p) + sum(y) + e) of each patch: (N,); p = sigmoid(logits)."""
    p = torch.sigmoid(logits).flatten(1)
    y = y.flatten(1)
    return 1 - (2 * (p * y).sum(1) + epsilon) / (p.sum(1) + y.sum(1) + epsilon)
