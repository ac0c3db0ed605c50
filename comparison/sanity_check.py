"""The tables of a sanity check: how alike each map is to that of the trained network, stage by stage."""

from collections.abc import Sequence

import numpy as np

import evaluate
from explainers.registry import Method
from metrics import agreement, significance
from pipeline.records import align
from pipeline.run import Run
from sanity import stage_method

SCORES = {  # column -> heading; both maps brought to magnitudes in the second
    "spearman": "rank correlation",
    "spearman_magnitudes": "rank correlation of magnitudes",
    "ssim": "SSIM",
}


def compare_stages(run: Run, methods: Sequence[Method], stages: Sequence[str]) -> dict[str, np.ndarray]:
    """A name of `SCORES` -> float64 (methods, images, stages); NaN where there is no map, or a constant one."""
    shape = len(methods), len(run.samples), len(stages)
    scores = {name: np.full(shape, np.nan) for name in SCORES}
    for row, method in enumerate(methods):
        for column, sample in enumerate(run.samples):
            maps = [_read_map(run, stage_method(method, stage).name, sample) for stage in range(len(stages))]
            if maps[0] is None:
                continue
            for stage, saliency_map in enumerate(maps):
                for name, value in compare_with_trained(maps[0], saliency_map).items():
                    scores[name][row, column, stage] = value
    return scores


def compare_with_trained(trained: np.ndarray, saliency_map: np.ndarray | None) -> dict[str, float]:
    """The scores of a map (H, W) against that of the trained network; NaN where they are undefined."""
    if saliency_map is None:
        return dict.fromkeys(SCORES, np.nan)
    try:
        ssim = evaluate.calculate_ssim(trained, saliency_map)
    except evaluate.Undefined:
        ssim = np.nan
    pairs = [trained, saliency_map], [np.abs(trained), np.abs(saliency_map)]
    plain, magnitudes = (agreement.compare_maps(pair, fraction=1)["spearman"][0, 1] for pair in pairs)
    return {"spearman": plain, "spearman_magnitudes": magnitudes, "ssim": ssim}


def write_tables(run: Run, methods: Sequence[Method], stages: Sequence[str], scores: dict[str, np.ndarray]) -> str:
    """Writes sanity.csv and sanity_summary.csv; the rank correlation of each method and stage as text."""
    rows, summary, lines = [], [], [["rank correlation with the trained network, down to", *stages]]
    for row, method in enumerate(methods):
        cells = []
        for stage, layer in enumerate(stages):
            place = {"method": method.name, "stage": stage, "randomised_down_to": layer}
            for column, sample in enumerate(run.samples):
                values = {name: table[row, column, stage] for name, table in scores.items()}
                rows.append({**place, "image": sample.name, **{key: _blank(value) for key, value in values.items()}})
            means = {}
            for name, table in scores.items():
                mean, low, high, n = summarise_stage(table[row, :, stage])
                means |= {f"{name}_mean": _blank(mean), f"{name}_low": _blank(low), f"{name}_high": _blank(high)}
                means[f"{name}_n"] = n
            summary.append({**place, **means})
            mean, *_, n = summarise_stage(scores["spearman"][row, :, stage])
            cells.append(f"{mean:.2f}" + (f" (n={n})" if n < len(run.samples) else "") if n else "-")
        lines.append([method.name, *cells])
    run.results.write_table("sanity.csv", rows)
    run.results.write_table("sanity_summary.csv", summary)
    return align(lines)


def summarise_stage(values: np.ndarray) -> tuple[float, float, float, int]:
    """Mean, the ends of its 95 % bootstrap interval and count of values (n,), NaN left out."""
    known = values[~np.isnan(values)]
    interval = significance.bootstrap_interval(known) if len(known) > 1 else None
    return (float(known.mean()) if len(known) else np.nan, *(interval or (np.nan, np.nan)), len(known))


def _blank(value: float):
    return "" if np.isnan(value) else float(value)


def _read_map(run: Run, name: str, sample) -> np.ndarray | None:
    record = run.results.find(name, sample)
    return None if record is None else run.results.read_map(record)
