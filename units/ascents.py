"""The way to a visualization, as a moving picture: `feature_visualization.py --animate`.

    <folder>/animations/<METHOD>/<target>.gif    the image at every few steps, and the score it has there

A step depends on the seed and its number alone: the ascent is made once more, and needs nothing that was kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from output.files import write_whole
from plots.animation import compose, gif_saver
from units.visualization import VisualizationTarget, Visualizer

N_FRAMES = 60
FRAMES_PER_SECOND = 12.5
HOLD = 2  # seconds that the finished image stays


def write_ascents(visualizer: Visualizer, work: Mapping[str, Sequence[VisualizationTarget]]) -> Iterator[Path]:
    """The paths of the .gifs of a method's targets, as they are written; one that is there is not made again."""
    for method, targets in work.items():
        for target in targets:
            path = visualizer.folder / "animations" / method / f"{target.stem}.gif"
            if not path.is_file():
                write_whole(path, gif_saver(draw_ascent(visualizer, method, target), FRAMES_PER_SECOND, HOLD))
            yield path


def draw_ascent(visualizer: Visualizer, method: str, target: VisualizationTarget) -> list[np.ndarray]:
    """The frames of an ascent, uint8 RGB (H, W, 3), from its start to its last step."""
    maximiser, n_steps = visualizer.open_maximiser(method, [target]), visualizer.settings[method]["n_steps"]
    state, frames = maximiser.start(), []
    for wanted in sorted({round(share * n_steps) for share in np.linspace(0, 1, N_FRAMES)}):
        if wanted > state.n_steps:
            state = maximiser.advance(state, wanted - state.n_steps)
        [image] = maximiser.images(state)
        score = f", score {state.history[-1, 0, 0]:.3g}" if state.n_steps else ""
        frames.append(compose([image], [target.name, f"step {state.n_steps} of {n_steps}{score}"]))
    return frames
