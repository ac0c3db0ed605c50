"""What is to be visualized: classes, layers, channels or neurons of a network, and the names of their files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import constants
from network.classifier import Classifier


@dataclass(frozen=True)
class Target:
    """What is to be excited. kind: of maximisation.KINDS. index: of the class or channel, 0 for a layer.

    layer: its path, '' for a class. position: (row, column) of a neuron; None: the middle.
    """

    kind: str
    index: int
    name: str
    layer: str = ""
    position: tuple[int, int] | None = None

    @property
    def stem(self) -> str:
        """Of its files: any file system takes it, and no other target of the model has it."""
        numbers = [] if self.kind == "layer" else [self.index, *(self.position or ())]
        name = (self.layer or self.name)[-80:]  # the end of a nested layer's path tells it from its neighbours
        return re.sub(r"[^\w.-]+", "_", "_".join(map(str, [self.kind, *numbers, name])))


def choose_targets(
    classifier: Classifier,
    class_index: str | None = None,
    layer_name: str | None = None,
    channels: Sequence[int] | None = None,
    position: tuple[int, int] | None = None,
) -> list[Target]:
    """The targets of the flags: classes and layers by commas; neither: every class, if they are few.

    channels: of every layer; None: the layers as a whole. position: of a neuron; None: whole channels.
    ValueError for a class, layer, channel or position that the model does not have.
    """
    classes = []
    if class_index:
        classes = [classifier.class_index_of(name.strip()) for name in class_index.split(",")]
    elif not layer_name:
        if classifier.n_classes > constants.MOST_CLASSES:
            raise ValueError(f"the model has {classifier.n_classes} classes: choose with --class_index or --layer_name")
        classes = range(classifier.n_classes)
    targets = [Target("class", index, classifier.class_names[index]) for index in dict.fromkeys(classes)]
    for name in layer_name.split(",") if layer_name else ():
        layer = classifier.view(name.strip()).layer_name
        _check_place(classifier, layer, channels or (), position)
        if channels is None:
            targets.append(Target("layer", 0, layer, layer))
        kind, where = ("neuron", f" at {position[0]}, {position[1]}") if position else ("channel", "")
        for index in channels or ():
            targets.append(Target(kind, index, f"{layer}, channel {index}{where}", layer, position))
    return targets


def _check_place(classifier: Classifier, layer: str, channels: Sequence[int], position: tuple[int, int] | None) -> None:
    """ValueError for channels or a position that the layer does not have."""
    shape = [step.output.shape for step in classifier.steps if step.path == layer][-1]
    wrong, n = [k for k in channels if k >= shape[-1]], shape[-1]
    if wrong:
        given = ", ".join(map(str, wrong))
        raise ValueError(f"layer {layer!r} has {n} channels, 0 to {n - 1}; given: {given}")
    rows, columns = tuple(shape[1:-1]) or (1, 1)
    if position and (position[0] >= rows or position[1] >= columns):
        raise ValueError(f"layer {layer!r} has {rows} x {columns} positions, counted from 0; {position} is none")
