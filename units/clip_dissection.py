"""Names of units without masks: CLIP-Dissect (Oikarinen and Weng, ICLR 2023), from how images and words go together.

    P = softmax over words of (a S)                       S (N, W): similarity of image n and word w, as CLIP's cosine
    B_k: the images of the largest mean activation of unit k, top_k of them, rank i = 0, 1, ...
    log p(w | B_k) = sum_i log(1 + p_i (P[B_k(i), w] - 1) + 1e-7)      p_i = 0.998 - (i / top_k) (0.998 - 0.97)
    soft-WPMI(k, w) = log p(w | B_k) - lambda (logsumexp_j log p(w | B_j) - log K)

The second term takes away what a word is to all units of the layer. Section 3.3; a = 10, lambda = 1 and 1e-7 are those
of the authors' program, as are the p_i: an image of a lower rank is less surely one that the unit answers to. They take
top_k = 100 of 60,000 probing images; where there are few that would be most of them, and a tenth of the images is
taken. A unit that gives the same for every image has no name.

Cost: K top_k W logarithms a layer, whatever the number of images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from output.files import open_text
from output.tables import write_table

SHARPNESS = 10.0  # a
WEIGHT = 1.0  # lambda
LEAST_PROBABILITY = 1e-7
FIRST, LAST = 0.998, 0.97  # that an image is one the unit answers to, of the first rank and behind the last
MOST_IMAGES = 100  # of a unit, that are looked at
TOP_SHARE = 0.1  # of the probing images, at most
WORD_COLUMNS = ["layer", "unit", "description", "similarity"]  # of the authors' descriptions.csv


def soft_wpmi(similarities: np.ndarray, activations: np.ndarray, top_k: int) -> np.ndarray:
    """The soft weighted pointwise mutual information (K, W), float64, of the units of one layer and the words.

    similarities (N, W); activations (N, K), one number per image and unit; of equal ones the earlier image counts as
    the larger. ValueError for other numbers of images, or a top_k that is not of 1 to N.
    """
    if len(similarities) != len(activations) or not 1 <= top_k <= len(activations):
        raise ValueError(
            f"similarities and activations of the same images, and a top_k of 1 to as many, are wanted; given: "
            f"{len(similarities)} and {len(activations)} images, {top_k}"
        )
    scaled = SHARPNESS * np.asarray(similarities, dtype=np.float64)
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities = scaled / scaled.sum(axis=1, keepdims=True)
    sure = FIRST - np.arange(top_k)[:, None] / top_k * (FIRST - LAST)  # (top_k, 1)
    best = np.argsort(-activations, axis=0, kind="stable")[:top_k]  # (top_k, K)
    found = np.stack(
        [
            np.log(1 + sure * (probabilities[best[:, unit]] - 1) + LEAST_PROBABILITY).sum(axis=0)
            for unit in range(best.shape[1])
        ]
    )
    largest = found.max(axis=0)
    of_all = largest + np.log(np.exp(found - largest).mean(axis=0))
    return found - WEIGHT * of_all


def choose_top_k(n_images: int, top_k: int | None = None) -> int:
    """How many images of a unit are looked at: as asked for, else `MOST_IMAGES` or `TOP_SHARE` of them, the fewer.

    ValueError for more than there are.
    """
    if top_k is not None and top_k > n_images:
        raise ValueError(f"--clip_top_k: {top_k} images of each unit were asked for, of {n_images} in all")
    return top_k or max(1, min(MOST_IMAGES, round(TOP_SHARE * n_images)))


def name_units(
    layer: str, similarities: np.ndarray, activations: np.ndarray, words: Sequence[str], top_k: int
) -> list[dict]:
    """A row of descriptions.csv per unit: the word of the largest similarity, '' for a unit that is always the same."""
    scores = soft_wpmi(similarities, activations, top_k)
    best = scores.argmax(axis=1)
    silent = activations.max(axis=0) == activations.min(axis=0)
    return [
        dict(zip(WORD_COLUMNS, (layer, unit, "" if silent[unit] else words[word], float(scores[unit, word]))))
        for unit, word in enumerate(best)
    ]


@dataclass(frozen=True)
class Against:
    """A unit's name by words beside that by masks: the rows of both descriptions.csv."""

    by_words: dict
    by_masks: dict

    @property
    def agrees(self) -> bool:
        """Whether both give it the same name."""
        return self.by_words["description"] == self.by_masks["concept"] != ""


def compare_with_masks(by_words: Sequence[dict], by_masks: Sequence[dict], min_iou: float) -> list[Against]:
    """The units that detect a concept by their masks (IoU over min_iou) and have a row of both kinds."""
    rows = {(row["layer"], row["unit"]): row for row in by_masks if row["iou"] > min_iou}
    return [Against(row, rows[key]) for row in by_words if (key := (row["layer"], row["unit"])) in rows]


def write_against(folder: Path, found: Sequence[Against]) -> Path:
    """The path of against_masks.csv: layer, unit, description, similarity, concept, iou, agrees."""
    rows = [
        {
            **each.by_words,
            "similarity": f"{each.by_words['similarity']:.6f}",
            "concept": each.by_masks["concept"],
            "iou": f"{each.by_masks['iou']:.6f}",
            "agrees": "yes" if each.agrees else "no",
        }
        for each in found
    ]
    return write_table(folder / "against_masks.csv", rows, [*WORD_COLUMNS, "concept", "iou", "agrees"])


# --- what people bring --------------------------------------------------------------------------------------------
def read_words(path: str | Path) -> list[str]:
    """The words of a text file, one a line, empty lines left out; ValueError for none, or one that stands twice."""
    try:
        with open_text(Path(path)) as file:
            words = [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"--words: cannot read '{path}': {error}") from None
    if len(words) < 2:
        raise ValueError(f"--words: two words or more, one a line, are wanted; '{path}' has {len(words)}")
    if twice := sorted({word for word in words if words.count(word) > 1}):
        raise ValueError(f"--words: '{path}' has a word twice: {twice[0]}")
    return words


def read_similarities(path: str | Path, n_images: int, n_words: int) -> np.ndarray:
    """The matrix (n_images, n_words), float64, of a .npy file; ValueError for another shape or kind, or NaN."""
    try:
        matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"--similarities: cannot read '{path}' as a .npy file: {error}") from None
    wanted = f"a matrix of {n_images} images (rows, in the order of their names) x {n_words} words is wanted"
    if not isinstance(matrix, np.ndarray) or matrix.shape != (n_images, n_words):
        raise ValueError(f"--similarities: {wanted}; '{path}' holds {getattr(matrix, 'shape', 'several arrays')}")
    if not np.issubdtype(matrix.dtype, np.number) or np.iscomplexobj(matrix) or not np.isfinite(matrix).all():
        raise ValueError(f"--similarities: {wanted}, of finite numbers; '{path}' holds {matrix.dtype} or NaN")
    return matrix.astype(np.float64)
