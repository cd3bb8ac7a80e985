#!/usr/bin/env python3
"""Trains a small network on scikit-learn's handwritten digits, with a deformable convolution and with a plain one in its place.

The digits are turned by random angles, so that there is something for the offsets to follow.
"""

import argparse
import sys
import time

import torch
from deformconv.torch import DeformConv2d
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F


class Deformable(nn.Module):
    """A 3x3 deformable convolution; a plain one computes its offset and mask, and starts at 0 and 1/2."""

    def __init__(self, channels):
        super().__init__()
        self.field = nn.Conv2d(channels, 27, 3, padding=1)
        self.convolution = DeformConv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.field.weight)
        nn.init.zeros_(self.field.bias)

    def forward(self, x):
        offset, mask = self.field(x).split([18, 9], dim=1)
        return self.convolution(x, offset, mask.sigmoid())


def network(deformable, channels):
    middle = Deformable(channels) if deformable else nn.Conv2d(channels, channels, 3, padding=1)
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.ReLU(),
        middle,
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(channels * 9, 10),
    )


def turned(images, generator, most=45.0):
    """Each image turned by a random angle of at most so many degrees."""
    angle = torch.deg2rad((2 * torch.rand(len(images), generator=generator) - 1) * most)
    sin, cos, zero = angle.sin(), angle.cos(), torch.zeros_like(angle)
    matrix = torch.stack([cos, -sin, zero, sin, cos, zero], 1).reshape(-1, 2, 3)
    return F.grid_sample(images, F.affine_grid(matrix, images.shape, align_corners=False), align_corners=False)


def digits():
    """Training images and labels, test images and labels; the test images are turned once and for all."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(data.target)
    train, test = train_test_split(torch.arange(len(labels)), test_size=0.3, random_state=0, stratify=labels)
    return images[train], labels[train], turned(images[test], torch.Generator().manual_seed(1)), labels[test]


def train(name, model, data, steps, batch):
    """Trains, printing progress; returns the accuracy on the test images."""
    images, labels, test_images, test_labels = data
    generator = torch.Generator().manual_seed(2)
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    started = time.perf_counter()
    for step in range(1, steps + 1):
        chosen = torch.randint(len(images), (batch,), generator=generator)
        loss = F.cross_entropy(model(turned(images[chosen], generator)), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % max(1, steps // 6) == 0 or step == steps:
            with torch.no_grad():
                accuracy = (model(test_images).argmax(1) == test_labels).float().mean().item()
            seconds = time.perf_counter() - started
            print(f"{name:10} step {step:4}  loss {loss:.3f}  test accuracy {accuracy:6.1%}  {seconds:5.1f} s", flush=True)
    return accuracy


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--channels", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(1)  # the network is too small for more
    data = digits()
    accuracies = {}
    for name in ("plain", "deformable"):
        torch.manual_seed(0)
        model = network(name == "deformable", options.channels)
        print(f"{name:10} {sum(parameter.numel() for parameter in model.parameters())} parameters")
        accuracies[name] = train(name, model, data, options.steps, options.batch)
    print("test accuracy: " + ", ".join(f"{name} {accuracy:.1%}" for name, accuracy in accuracies.items()))
    # 540 images of ten kinds: what does not learn is right in about one of ten.
    return 0 if all(accuracy > 0.5 for accuracy in accuracies.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
