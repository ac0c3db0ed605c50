"""A run over the frames of a film, as a film: `main.py --test_images_folder_path=film.mp4`.

    <folder>/films/<METHOD>.mp4, <METHOD>.gif    each frame, and beside it its map over it

All frames of a method have one colour scale, from the smallest to the largest value of all its maps, so that colours
change only where maps do. The class explained is that of the frame's record: by default what the network predicts,
which may change from frame to frame and is named below; `--class_index` holds it. The maps are those of the run.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

import representations
from data.dataset import Sample
from data.films import rate_of, time_of
from explainers.registry import Method, explains_class
from pipeline.run import Run
from pipeline.run_figures import Style
from plots.animation import compose, write_film


def write_films(run: Run, style: Style) -> Iterator[Path]:
    """The paths of the films, as they are written; a method without any map has none."""
    for method in run.methods:
        limits = find_limits(run, method.name)
        if limits is not None:
            path = run.results.folder / "films" / method.name
            yield from write_film(path, draw_frames(run, method, style, limits), len(run.samples), rate_of(run.samples))


def find_limits(run: Run, name: str) -> tuple[float, float] | None:
    """The smallest and the largest value of all maps of a method; None without a map."""
    maps = (run.read_map(name, sample) for sample in run.samples)
    ends = [(float(found.min()), float(found.max())) for found in maps if found is not None]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None


def draw_frames(run: Run, method: Method, style: Style, limits: tuple[float, float]) -> Iterator[np.ndarray]:
    """The frames of the film of a method, uint8 RGB (H, W, 3); one without a map is shown twice as it is."""
    signed = method.load().signed or limits[0] < 0
    scale = representations.colour_scale(np.array([limits]), style.colormap, signed=signed, limits=limits)
    shown = None
    for sample in run.samples:
        found, image = run.read_map(method.name, sample), _read(sample)
        image = shown if image is None else image
        if image is None:  # nothing was to be seen so far
            continue
        overlay = shown = image
        if found is not None:
            options = {"signed": signed, "limits": limits}
            overlay = representations.represent_heatmap_overlaid(found, image, style.colormap, style.alpha, **options)
        yield compose([image, overlay], _caption(run, method.name, sample), scale)


def _read(sample: Sample) -> np.ndarray | None:
    """The frame (H, W, 3); None if it cannot be read."""
    try:
        return sample.read()
    except ValueError:  # its record says so
        return None


def _caption(run: Run, name: str, sample: Sample) -> list[str]:
    record = run.record(name, sample)
    if record.failed:
        return [f"{name}, {time_of(sample):.2f} s: no map", record.status]
    what = f": {record.class_name}" if explains_class(name) else ""
    return [f"{name}, {time_of(sample):.2f} s{what}", f"predicted: {record.predicted} {record.probability:.2f}"]
