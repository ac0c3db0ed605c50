"""Which samples a run has: those of the paths it was given, or of the embedded data, as many as its limit lets through.

No network is loaded for it: `gaze.py` has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import constants
from data import dataset, films
from data.dataset import Sample
from data.sample_table import SampleTable
from pipeline.settings import DataSettings
from scenes import demo_data


@dataclass(frozen=True)
class ImageSet:
    """The samples a run explains, all samples there are, and what to say of their gaze, as 'simulated gaze'.

    What an image's gaze is compared with is the gaze of all of them, whatever the limit.
    """

    samples: Sequence[Sample]
    all_samples: Sequence[Sample]
    gaze_note: str = ""


def find_paths(settings: DataSettings) -> list:
    """The paths of images, density maps and fixations, those of the embedded data drawn if need be; None: not given."""
    given = [settings.images, settings.density_maps, settings.fixations]
    if not settings.is_embedded:
        return given
    embedded, _ = demo_data.open_demo(settings.limit)
    return [path or embedded[flag] for path, flag in zip(given, demo_data.FOLDERS)]


def choose_samples(settings: DataSettings, samples: Sequence[Sample]) -> Sequence[Sample]:
    """Those of all samples that the limit lets through."""
    if settings.is_embedded:
        wanted = demo_data.demo_names("val")[: settings.limit or constants.DEMO_LIMIT]
        return [sample for sample in samples if sample.name in wanted]
    if isinstance(samples, SampleTable):
        return samples.take_in_turn(settings.limit)
    return dataset.take_in_turn(samples, settings.limit)


def describe_files(
    samples: Sequence[Sample], images: str, density_maps: str | None, chosen: Sequence[Sample]
) -> list[str]:
    """In words, which files of a folder of images are no samples, and how those of a run are read where it matters.

    Of images in no folder, and of more than `constants.LARGE_RUN`, nothing is told: each would have to be opened.
    """
    if isinstance(samples, SampleTable):
        return []
    if films.film_of(samples):
        return [f"read: {films.describe_film(chosen)}"]
    left_out = [f"left out: {note}" for note in dataset.describe_left_out(images, samples, density_maps)]
    return left_out + [f"read: {note}" for note in dataset.describe_reading(chosen)]
