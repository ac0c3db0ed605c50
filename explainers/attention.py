"""The attention of a multiple-instance model: how much each patch weighs in what the bag is taken for.

    L(l) = mean over the patches k covering pixel l of a_k

with a_k the attention of `attention_layers.py`. Ilse, Tomczak and Welling, "Attention-based Deep Multiple Instance
Learning", ICML 2018, section 2.4; where patches overlap the paper has none, and we take the mean. Attention says
which patches were looked at, not for which class: there is one for all classes. Only for a model that
attention_mil.py has trained; another is refused.

Cost per image: one forward pass up to the attention.
"""

from typing import NamedTuple

import numpy as np

from explainers.base import Explainer
from network.attention_layers import ATTENTION_LAYER, INSTANCES_LAYER, PATCHES_LAYER
from network.classifier import Classifier


class PatchGrid(NamedTuple):
    """Where the patches of a model are: `rows` x `columns` of them, squares of `size` pixels `stride` pixels apart."""

    rows: int
    columns: int
    size: int
    stride: int


def find_patches(classifier: Classifier) -> PatchGrid:
    """The patches of a multiple-instance model; ValueError for any other model, saying what it lacks."""
    shapes = {}
    for name in (PATCHES_LAYER, INSTANCES_LAYER, ATTENTION_LAYER):
        step = classifier.find_step(name)
        if step is None:
            raise ValueError(
                f"a model with attention over patches, as attention_mil.py trains it, is wanted; "
                f"{classifier.model.name!r} has no layer {name!r}"
            )
        shapes[name] = tuple(step.output.shape[1:])
    patches, instances, attention = shapes.values()
    rows, columns, size = (*patches, 0, 0, 0)[:3]
    if len(patches) != 5 or instances[:2] != (rows, columns) or attention != (rows * columns,):
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"patches (h, w, p, p, 3), instances (h, w, M), attention (h * w) are wanted; found: {found}")
    return PatchGrid(rows, columns, size, classifier.input_height // rows)


def spread_attention(attention: np.ndarray, size: int, stride: int) -> np.ndarray:
    """Maps (n, H, W) of attention (n, h, w): a pixel has the mean of the patches that cover it.

    Patches are squares of `size` pixels, centred on the cells of side `stride` of the map.
    """
    down, across = (_mean_over_covering(n_cells, size, stride) for n_cells in attention.shape[1:])
    return np.einsum("yi,nij,xj->nyx", down, attention, across)


def _mean_over_covering(n_cells: int, size: int, stride: int) -> np.ndarray:
    """Weights (pixels, cells) of a mean along one axis: of a square's patches, rows and columns part."""
    starts = np.arange(n_cells) * stride - (size - stride) // 2
    pixels = np.arange(n_cells * stride)[:, None]
    covers = (pixels >= starts) & (pixels < starts + size)
    return covers / covers.sum(axis=1, keepdims=True)


class Attention(Explainer):
    """Attention of a multiple-instance model; no class enters, `class_index` may be left out."""

    uses_class = False

    @classmethod
    def check_classifier(cls, classifier: Classifier) -> None:
        """Raises ValueError for a model without attention over patches."""
        find_patches(classifier)

    def compute_attention(self, images: np.ndarray) -> np.ndarray:
        """a (n, h, w), each image's sum 1, of float32 images (n, H, W, 3), 0-255."""
        grid, classifier = find_patches(self.classifier), self.classifier
        attend = classifier.compiled(
            "attention", lambda images: classifier.at_layer(ATTENTION_LAYER).forward(images)[0]
        )
        return attend(images).numpy().reshape(-1, grid.rows, grid.columns)

    def explain_batch(self, images: np.ndarray, class_index: np.ndarray) -> np.ndarray:
        """Maps (n, H, W)."""
        grid = find_patches(self.classifier)
        return spread_attention(self.compute_attention(images), grid.size, grid.stride)
