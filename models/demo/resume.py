"""Go on training from an exported model, whose batch norms were folded into its convolutions.

Each folded convolution gives what its batch norm gave. Measuring the mean and deviation of each
channel over some frames gives a norm that changes nothing now and can be trained from here.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from network import Conv, Detector
from onnx import numpy_helper
from torch import Tensor, nn


def resume(detector: Detector, exported: Path, images: Tensor) -> None:
    """Fill a fresh network with an exported one's weights; `images` calibrate its norms."""
    graph = onnx.load(str(exported)).graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    norms = {block.conv: block.norm for block in detector.modules() if isinstance(block, Conv)}
    order: list[nn.Conv2d] = []
    hooks = [
        module.register_forward_hook(lambda module, _inputs, _output: order.append(module))
        for module in detector.modules()
        if isinstance(module, nn.Conv2d)
    ]
    detector.eval()
    with torch.no_grad():
        detector(images[:1])
    for hook in hooks:
        hook.remove()
    if len(order) != len(convolutions):
        raise SystemExit(f"{exported}: {len(convolutions)} convolutions, expected {len(order)}")
    # In the order of their running, which is the order of the file's nodes.
    hooks = []
    for module, node in zip(order, convolutions, strict=True):
        weight, bias = (torch.from_numpy(values[name].copy()) for name in node.input[1:3])
        module.weight.data.copy_(weight)
        if module in norms:
            hooks.append(module.register_forward_hook(_calibrate(norms[module], bias)))
        else:
            module.bias.data.copy_(bias)
    with torch.no_grad():
        detector(images)
    for hook in hooks:
        hook.remove()


def _calibrate(norm: nn.BatchNorm2d, bias: Tensor):
    def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        mean = output.mean((0, 2, 3))
        variance = output.var((0, 2, 3), unbiased=False)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(bias + mean)

    return hook
