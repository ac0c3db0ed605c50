"""How a map comes about, as a moving picture: `main.py --animate`.

    <folder>/figures/animations/<METHOD>/<stem>.gif

RISE: the image under a mask, beside the running mean over the masks so far. Integrated gradients: the image on its way
from black, beside the integral up to there. All frames have the colours of the finished map, whose values stand at the
bar. Cost: the image is explained once more.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import representations
import utils
from data.dataset import Sample
from explainers.registry import METHODS, Method
from output.figures import FigureFiles
from pipeline.records import to_row
from pipeline.run import Run
from pipeline.run_figures import Style
from pipeline.settings import FigureSettings, RunSettings
from plots.animation import compose, gif_saver

N_FRAMES = 50
FRAMES_PER_SECOND = 10
HOLD = 2  # seconds that the finished map stays


def check(settings: RunSettings) -> None:
    """ValueError where no map can be shown as it comes about."""
    able = [name for name, method in METHODS.items() if method.load().animates]
    if not {*able} & {*settings.names}:
        raise ValueError(f"--animate is for {' and '.join(able)}; chosen: {', '.join(settings.names)}")
    if settings.figures.n_images == 0:
        raise ValueError("--animate has no effect where --figures=none: leave one of them out")


def write_animations(run: Run, style: Style, seed: int, wanted: FigureSettings) -> Iterator[Path]:
    """The paths of the .gifs of the first images (`wanted`), as they are written; none is made twice."""
    folder = run.results.folder / "figures" / "animations"
    with FigureFiles(wanted.formats, run.results.figures_path) as files:
        for method in run.methods:
            for sample in run.samples[: wanted.n_images] if method.load().animates else ():
                record = run.record(method.name, sample)
                if record.failed:
                    continue
                state = [sample.checksum, style.colormap, style.alpha, to_row(record)]
                shown = run, method, sample, style, seed
                yield files.write_by(
                    folder / method.name / f"{sample.stem}.gif",
                    lambda path, shown=shown: gif_saver(draw_moments(*shown), FRAMES_PER_SECOND, HOLD)(path),
                    state,
                )


def draw_moments(run: Run, method: Method, sample: Sample, style: Style, seed: int) -> list[np.ndarray]:
    """The frames of a map, uint8 RGB (H, W, 3)."""
    record, image = run.record(method.name, sample), sample.read()
    explainer = method.load()(run.classifier, None, image, record.class_index, **{**run.methods[method], "seed": seed})
    moments = list(explainer.compute_moments(N_FRAMES))
    signed = method.load().signed
    scale = representations.colour_scale(moments[-1].saliency_map, style.colormap, signed=signed)
    limits = scale.low, scale.high
    size = image.shape[:2]
    frames = []
    for moment in moments:
        seen = np.rint(utils.fit_image(moment.image, *size)).astype(np.uint8)
        overlay = representations.represent_heatmap_overlaid(
            moment.saliency_map, image, style.colormap, style.alpha, signed=signed, limits=limits
        )
        frames.append(compose([seen, overlay], [f"{method.name}, {record.class_name}: {moment.label}"], scale))
    return frames
