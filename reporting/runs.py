"""What a report is made of: the records of one run or several, with the files behind them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

import constants
from data import dataset
from data.addresses import is_camera, is_url
from data.dataset import Sample
from data.images import Reading
from data.sample_table import open_samples
from explainers.registry import BASELINES
from metrics import catalogue
from pipeline.gaze_truth import GazeTruth
from pipeline.large_results import open_run_folder
from pipeline.records import Record
from pipeline.summary import divisions, list_differences, summarise
from scenes import demo_data

IMAGES = "test_images_folder_path"
MOST_RECORDS = 100_000  # of a report, which holds all of them: some 200 MB


def name_folders(folders: Sequence[Path]) -> list[str]:
    """The names by which folders are told apart: the last parts of their paths, as few as it takes."""
    paths = [folder.resolve().parts for folder in folders]
    for n in range(1, max(map(len, paths)) + 1):
        names = ["/".join(parts[-n:]) for parts in paths]
        if len(set(names)) == len(names):
            return names
    raise ValueError(f"the same folder was given twice: {', '.join(map(str, folders))}")


def check_size(n_records: int) -> None:
    """Raises ValueError for more records than a report is made of."""
    if n_records > MOST_RECORDS:
        raise ValueError(
            f"a report shows single images, of up to {MOST_RECORDS:,} records; here are {n_records:,}: summary.csv and "
            "differences.csv have the tables of all"
        )


def _reading_of(description: dict) -> Reading:
    """How the run with this run.json read its photographs."""
    largest = _whole_number(description, "max_megapixels") or constants.MAX_IMAGE_PIXELS // 10**6
    return Reading(description["settings"].get("exif") != "keep", largest * 10**6)


def _whole_number(description: dict, flag: str) -> int | None:
    """The value of a flag of the run; None where it was not given, or an older version did not know it."""
    flags = description.get("flags")
    value = flags.get(flag) if isinstance(flags, dict) else None
    return value if type(value) is int and value > 0 else None


def _find_images(description: dict, names: set[str]) -> dict[str, Sample]:
    """Name -> sample of the images of a run that are where they were; nothing is fetched from elsewhere, or filmed."""
    where, reading = description["settings"].get(IMAGES), _reading_of(description)
    where = where or str(Path(constants.DEMO_FOLDER) / demo_data.FOLDERS[IMAGES])
    if is_url(where) or is_camera(where):
        return {}
    if Path(where).is_dir():  # the names are paths in it: a million others beside them are not listed
        return {name: Sample(name, name, Path(where) / name, reading=reading) for name in names}
    of_film = {flag: _whole_number(description, flag) for flag in ("limit", "frame_step")}
    try:
        return {
            sample.name: sample for sample in open_samples(where, reading=reading, **of_film) if sample.name in names
        }
    except ValueError:
        return {}


class Report:
    """The runs in some folders, read once; ValueError for a folder without a run, or without a record.

    Of several runs, a method is called '<METHOD> in <folder>': the same method in two runs is two rows.
    """

    def __init__(self, folders: Sequence[str | Path]):
        self.runs = [open_run_folder(folder) for folder in dict.fromkeys(map(Path, folders))]
        self.descriptions = [run.read_description() for run in self.runs]
        self._sources = {}  # (row, image) -> the run and the record as it stands there
        self.names = name_folders([run.folder for run in self.runs])
        for run, name in zip(self.runs, self.names):
            records = run.read_records(strict=True)
            check_size(len(records))
            for record in records.values():
                row = record.method if len(self.runs) == 1 else f"{record.method} in {name}"
                self._sources[row, record.image] = run, record
        if not self._sources:
            raise ValueError(
                f"no record in {', '.join(str(run.folder / 'records.csv') for run in self.runs)}: nothing to report"
            )

    @cached_property
    def records(self) -> list[Record]:
        """The records, their method being the row they stand in."""
        return [replace(record, method=row) for (row, _), (_, record) in self._sources.items()]

    @property
    def rows(self) -> list[str]:
        """The rows of the tables."""
        return list(dict.fromkeys(record.method for record in self.records))

    @property
    def methods(self) -> list[str]:
        """The rows that a method has made, not a baseline."""
        return [row for row in self.rows if row.split(" in ")[0] not in BASELINES]

    @cached_property
    def summary(self) -> list[dict]:
        """`summary.summarise` of all records."""
        return summarise(self.records)

    @cached_property
    def divided(self) -> dict[str, list[dict]]:
        """'class', 'group' -> the summary by it, where there are several."""
        return {name: summarise(self.records, name) for name in divisions(self.records)}

    @cached_property
    def differences(self) -> list[dict]:
        """`summary.list_differences` of all records."""
        return list_differences(self.records)

    @property
    def measured(self) -> list[catalogue.Metric]:
        """The metrics that have a value somewhere."""
        return [m for m in catalogue.METRICS.values() if any(row[f"{m.name}_n"] for row in self.summary)]

    def values(self, row: str, metric: str) -> dict[str, float]:
        """Image -> value of a metric in a row, where it is defined."""
        found = ((record.image, getattr(record, metric)) for record in self.records if record.method == row)
        return {image: value for image, value in found if value is not None}

    def curves(self, row: str) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Fractions (n,), insertion and deletion scores (images, n) of a row, on one grid; None without curves."""
        found = [run.read_curves(record) for (name, _), (run, record) in self._sources.items() if name == row]
        found = [curves for curves in found if curves is not None]
        if not found:
            return None
        fractions = max((curves[0] for curves in found), key=len)
        inserted, deleted = (np.stack([np.interp(fractions, c[0], c[k]) for c in found]) for k in (1, 2))
        return fractions, inserted, deleted

    def read_map(self, row: str, image: str) -> np.ndarray | None:
        """The raw map (H, W) of an image; None if there is none."""
        run, record = self._sources.get((row, image), (None, None))
        try:
            return None if record is None or record.failed else run.read_map(record)
        except ValueError:  # removed, or damaged: said in its place
            return None

    def read_image(self, image: str) -> np.ndarray | None:
        """The image (H, W, 3) from where the run found it; None if it is there no more."""
        for samples in self._images:
            try:
                return samples[image].read()
            except (KeyError, ValueError):
                continue
        return None

    def read_density(self, image: str) -> np.ndarray | None:
        """Where people looked in the image, (H, W), as the run was judged by; None if it is not known any more."""
        for gaze in self._gazes:
            for sample in gaze.samples:
                if sample.name == image and gaze.kinds(sample):
                    try:
                        return gaze.density_map(sample, *sample.read_size())
                    except ValueError:
                        return None
        return None

    @cached_property
    def _images(self) -> list[dict[str, Sample]]:
        """Of each run, name -> sample of its images."""
        names = {record.image for record in self.records if not is_url(record.image)}
        return [_find_images(description, names) for description in self.descriptions]

    @cached_property
    def _gazes(self) -> list[GazeTruth]:
        """The gaze of each run that had any and whose data are where they were."""
        found = []
        for description in self.descriptions:
            settings = description["settings"]
            folders = [settings.get(flag) for flag in demo_data.FOLDERS]
            if folders[0] is None:
                folders = [Path(constants.DEMO_FOLDER) / name for name in demo_data.FOLDERS.values()]
            if any(folders[1:]):
                try:
                    samples = dataset.load_dataset(
                        folders[0],
                        folders[1],
                        fixations=folders[2],
                        fixations_unit=settings.get("fixations_unit"),
                        reading=_reading_of(description),
                    )
                except ValueError:
                    continue
                found.append(GazeTruth(samples, sigma_px=settings.get("sigma_px")))
        return found

    @property
    def judged_by(self) -> str:
        """The metric by which images are called best and worst: gaze where there is any, else insertion, else ''."""
        known = [metric.name for metric in self.measured]
        return next((name for name in ("nss", "pcc", "insertion_auc") if name in known), "")

    def rank_images(self, row: str) -> list[tuple[str, float]]:
        """The images of a row with their values of `judged_by`, the best first."""
        values = self.values(row, self.judged_by) if self.judged_by else {}
        return sorted(values.items(), key=lambda pair: -pair[1])

    def most_different(self) -> list[tuple[str, float]]:
        """The images with their mean of `judged_by` over the methods, those that differ most from gaze first."""
        if self.judged_by not in ("nss", "pcc"):
            return []
        of_image = {}
        for row in self.methods:
            for image, value in self.values(row, self.judged_by).items():
                of_image.setdefault(image, []).append(value)
        return sorted(((image, float(np.mean(values))) for image, values in of_image.items()), key=lambda pair: pair[1])
