"""The way of an ascent: it begins at the start and ends at the image that was kept."""

import numpy as np
from PIL import Image

from units import ascents, visualization
from units.visualization import VisualizationTarget, Visualizer


def test_the_gif_goes_from_the_start_to_the_image_that_is_kept(planted_classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(ascents, "N_FRAMES", 4)
    settings = visualization.choose_method_settings(["CLASS_IMPRESSION"], 6)
    visualizer = Visualizer(planted_classifier, tmp_path, settings)
    work = {"CLASS_IMPRESSION": [VisualizationTarget("class", 0, "red")]}
    visualizer.visualize(work)
    frames = ascents.draw_ascent(visualizer, "CLASS_IMPRESSION", work["CLASS_IMPRESSION"][0])
    maximiser = visualizer.open_maximiser("CLASS_IMPRESSION", work["CLASS_IMPRESSION"])
    [start] = maximiser.images(maximiser.start())
    kept = np.asarray(Image.open(visualizer.image_path("CLASS_IMPRESSION", work["CLASS_IMPRESSION"][0].stem)))
    assert len(frames) == 4
    for frame, image in ((frames[0], start), (frames[-1], kept)):
        wanted = ascents.compose([image], ["red", ""])[:300]
        assert np.abs(frame[:300].astype(int) - wanted).max() <= 1
    [path] = ascents.write_ascents(visualizer, work)
    written = path.stat().st_mtime_ns
    assert Image.open(path).n_frames == 4
    assert list(ascents.write_ascents(visualizer, work)) == [path] and path.stat().st_mtime_ns == written
