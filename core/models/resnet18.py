"""torchvision's ResNet-18."""

from __future__ import annotations

from typing import cast

import torch
import torchvision
from torch import Tensor, nn

from core.models.classifier import Classifier, Depth


class ResNet18(Classifier):
    """torchvision's ResNet-18, unmodified, as the NeurIPS 2023 unlearning challenge's starting kit
    has it, so that its published weights load."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.net = torchvision.models.resnet18(weights=None, num_classes=classes)

    @property
    def head(self) -> nn.Linear:  # type: ignore[override]
        return cast(nn.Linear, self.net.fc)

    def features(self, images: Tensor) -> Tensor:
        net = self.net
        x = net.maxpool(net.relu(net.bn1(net.conv1(self.normalise(images)))))
        x = net.layer4(net.layer3(net.layer2(net.layer1(x))))
        return torch.flatten(net.avgpool(x), 1).float()

    def stages(self) -> list[nn.Module]:
        net = self.net
        return [net.conv1, net.bn1, net.layer1, net.layer2, net.layer3, net.layer4, net.fc]

    def depths(self) -> list[Depth]:
        net = self.net
        layers = [net.layer1, net.layer2, net.layer3, net.layer4]
        blocks = [cast(nn.Module, block) for layer in layers for block in layer]
        names = [f"layer {i}{half}" for i in range(1, 5) for half in "ab"]
        names[-1] = "features"
        return [
            Depth("stem", (net.conv1, net.bn1), blocks[0]),
            *(
                Depth(name, (block,), after)
                for name, block, after in zip(names, blocks, [*blocks[1:], net.fc], strict=True)
            ),
            Depth("answer", (net.fc,), None),
        ]
