"""The tables of a comparison: from the maps in a run's folder to agreement.csv, its summary, and the score board."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

import constants
import utils
from data.boxes import Box, read_mask
from data.dataset import Sample
from explainers.registry import METHODS
from metrics import agreement, localisation
from metrics.common import is_mask
from output.tables import MEANS, align, format_mean, list_means, write_table
from pipeline.run import Run

HEADS = {
    "iou": "IoU",
    "spearman": "rank correlation",
    "pcc": "PCC",
    "pointing_game": "pointing game",
    "energy_pointing_game": "energy pointing game",
    "seconds": "seconds per image",
}


@dataclass(frozen=True)
class Comparison:
    """A run of N images and M methods whose maps are compared.

    fraction: of the pixels, that a threshold keeps. rank_by: the metric that ranks the images of a pair.
    scores: metric -> (N, M, M), NaN where it is undefined. reasons: (method, image) -> why a map has no scores.
    """

    run: Run
    fraction: float
    rank_by: str
    scores: dict[str, np.ndarray]
    reasons: dict[tuple[str, str], str]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Every two methods, by their places among the chosen."""
        return list(combinations(range(len(self.run.names)), 2))

    def rank(self, one: int, other: int) -> list[int]:
        """The images by decreasing agreement of two methods, those on which it is undefined last."""
        return agreement.rank_images(self.scores[self.rank_by][:, one, other]).tolist()

    def rank_pairs(self) -> list[tuple[int, int]]:
        """The pairs by decreasing mean agreement over the images, without those on which it is undefined everywhere."""
        scores = [self.scores[self.rank_by][:, one, other] for one, other in self.pairs]
        known = [(pair, values) for pair, values in zip(self.pairs, scores) if not np.isnan(values).all()]
        return [pair for pair, _ in sorted(known, key=lambda one: -np.nanmean(one[1]))]


def compare(run: Run, fraction: float, rank_by: str) -> Comparison:
    """The comparison of all maps of an examined run, one image at a time."""
    found, reasons = [], {}
    for sample in run.samples:
        maps = {name: run.read_map(name, sample) for name in run.names}
        found.append(agreement.compare_maps(list(maps.values()), fraction))
        for name, saliency_map in maps.items():
            if saliency_map is None:
                reasons[name, sample.name] = run.record(name, sample).status
            elif utils.is_constant(saliency_map):
                reasons[name, sample.name] = "constant map"
    scores = {metric: np.stack([one[metric] for one in found]) for metric in agreement.AGREEMENTS}
    return Comparison(run, fraction, rank_by, scores, reasons)


def write_agreement(compared: Comparison) -> str:
    """The table of the pairs, once agreement.csv and agreement_summary.csv are written."""
    rows = [row for pair in compared.pairs for row in list_agreement(compared, *pair)]
    write_table(compared.run.results.folder / "agreement.csv", rows)
    summary = []
    for one, other in compared.pairs:
        scores = {metric: values[:, one, other] for metric, values in compared.scores.items()}
        names = {"method_a": compared.run.names[one], "method_b": compared.run.names[other]}
        summary.append({**names, **summarise_scores(scores)})
    write_table(compared.run.results.folder / "agreement_summary.csv", summary)
    kept = f"IoU of the {100 * compared.fraction:.3g} % of the pixels where each map is largest"
    caption = f"agreement, {MEANS}, {kept}{_masks(compared)}".removesuffix(",") + ":"
    undefined = [f"undefined: {name} {image}: {reason}" for (name, image), reason in compared.reasons.items()]
    return "\n".join([caption, format_scores(summary, ("method_a", "method_b"), agreement.AGREEMENTS), *undefined])


def list_agreement(compared: Comparison, one: int, other: int) -> list[dict]:
    """A row of agreement.csv per image, the images on which two methods agree most first."""
    names, rows = (compared.run.names[one], compared.run.names[other]), []
    for rank, index in enumerate(compared.rank(one, other), start=1):
        sample = compared.run.samples[index]
        reasons = {name: compared.reasons.get((name, sample.name)) for name in names}
        undefined = "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason)
        rows.append(
            {
                "method_a": names[0],
                "method_b": names[1],
                "rank": "" if undefined else rank,
                "image": sample.name,
                **{metric: float(values[index, one, other]) for metric, values in compared.scores.items()},
                "undefined": undefined,
            }
        )
    return rows


def write_score_board(compared: Comparison, boxes: Mapping[str, Sequence[Box]]) -> str:
    """The score board, once localisation.csv and score_board.csv are written."""
    rows, shares = [], []
    for sample in compared.run.samples:
        if sample.name in boxes:
            mask = read_mask(sample.path, boxes[sample.name], sample.reading)
            shares.append(mask.mean())
            rows += [score_image(compared, name, sample, mask) for name in compared.run.names]
    write_table(compared.run.results.folder / "localisation.csv", rows)
    metrics, board = (*localisation.BOX_SCORES, "seconds"), []
    for name in compared.run.names:
        scores = {metric: [row[metric] for row in rows if row["method"] == name] for metric in metrics}
        row = {"method": name, **summarise_scores(scores)}
        row.pop("seconds_std")  # images that are explained at once share their time
        board.append(row)
    if shows_lime_masks(compared):
        for row in board:  # as the LIME assignment calls them
            is_lime = row["method"] == "LIME"
            row |= {
                "avg_iou": row["iou_mean"] if is_lime else None,
                "avg_time": row["seconds_mean"] if is_lime else None,
            }
    write_table(compared.run.results.folder / "score_board.csv", board)
    best = np.mean([min(compared.fraction, share) / max(compared.fraction, share) for share in shares])
    kept = f"IoU of the {100 * compared.fraction:.3g} % of the pixels where a map is largest{_masks(compared)}"
    caption = (
        f"score board, {MEANS}, {kept} with the boxes, which cover {100 * np.mean(shares):.3g} % of an image, so that "
        f"{best:.2f} would be the best; pointing game within {constants.POINTING_TOLERANCE} px:"
    )
    of_masks = [
        f"\nLIME's masks: avg_iou {row['avg_iou']:.3f}, avg_time {row['avg_time']:.2f} s"
        for row in board
        if row.get("avg_iou") is not None
    ]
    return "".join([f"{caption}\n{format_scores(board, ('method',), metrics)}", *of_masks])


def shows_lime_masks(compared: Comparison) -> bool:
    """Whether LIME is among the methods, and its maps are the masks of its best superpixels."""
    return compared.run.methods.get(METHODS["LIME"], {}).get("variant") == "mask"


def _masks(compared: Comparison) -> str:
    return ", LIME's masks as they are," if shows_lime_masks(compared) else ""


def score_image(compared: Comparison, name: str, sample: Sample, mask: np.ndarray) -> dict:
    """The row of localisation.csv of one method and image; mask: where the boxes are, bool (h, w) of the image."""
    saliency_map = compared.run.read_map(name, sample)
    if saliency_map is None:
        scores = dict.fromkeys((*localisation.BOX_SCORES, "seconds"), np.nan)
    else:
        resized = utils.resize_map(saliency_map, *mask.shape)
        resized = np.rint(resized) if is_mask(saliency_map) else resized
        scores = localisation.score_map(resized, mask, compared.fraction)
        scores["seconds"] = compared.run.record(name, sample).seconds
    return {"method": name, "image": sample.name, **scores}


# --- rows ----------------------------------------------------------------------------------------------------
def summarise_scores(scores: Mapping[str, Sequence[float]]) -> dict:
    """Images, how many are undefined, and of each metric its mean, sample deviation and count."""
    return {"images": len(scores["iou"]), "undefined": int(np.isnan(scores["iou"]).sum()), **list_means(scores)}


def format_scores(rows: Sequence[dict], keys: Sequence[str], metrics: Sequence[str]) -> str:
    """The rows as text: keys, images, and mean ± sample deviation of each metric, n where it is not all."""
    lines = [[*(key.replace("_", " ") for key in keys), "images", *(HEADS[metric] for metric in metrics)]]
    for row in rows:
        means = [format_mean(row, metric, row["images"]) for metric in metrics]
        lines.append([*(row[key] for key in keys), str(row["images"]), *means])
    return align(lines)
