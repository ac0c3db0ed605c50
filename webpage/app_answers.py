"""The answers about one photograph and one class, in memory.

To `explaining.Examiner`, which adds to them, and to `display.write_figures`, which draws them, they are what the folder
of a run, `results.Results`, is. What is asked again with the same options is there already.
"""

from pathlib import Path

import numpy as np

from data.dataset import Sample
from pipeline.records import Record


class Answers:
    """Records, maps, curves and further pictures by method.

    folder: of the figures, once they are asked for.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.records: dict[tuple[str, str], Record] = {}
        self.maps: dict[str, np.ndarray] = {}
        self.curves: dict[str, np.ndarray] = {}
        self.pictures: dict[str, dict[str, np.ndarray]] = {}
        self.options: dict[str, dict] = {}

    def find(self, method: str, sample: Sample) -> Record | None:
        """The record of the photograph under that method; None before its map is there."""
        return self.records.get((method, sample.name))

    def add(self, record: Record, saliency_map=None, curves=None, pictures=None) -> None:
        """Keeps what was found; a record that failed has no map. What is None was there before, or is not known."""
        for kept, found in ((self.maps, saliency_map), (self.curves, curves), (self.pictures, pictures)):
            if found is not None:
                kept[record.method] = found
        self.records[record.method, record.image] = record  # last: who finds the record finds all of it

    def read_map(self, record: Record) -> np.ndarray:
        """The raw map (H, W) of a record."""
        return self.maps[record.method]

    def read_curves(self, record: Record) -> tuple[np.ndarray, ...] | None:
        """(fractions, insertion scores, deletion scores) of a record; None where they were not measured."""
        curves = self.curves.get(record.method)
        return None if curves is None else tuple(curves.T)

    def settle(self, method: str, options: dict) -> None:
        """Forgets what the method answered with other options, and its failure."""
        keys = [key for key in self.records if key[0] == method]
        if self.options.get(method) != options or any(self.records[key].failed for key in keys):
            for key in keys:
                del self.records[key]
            for kept in (self.maps, self.curves, self.pictures):
                kept.pop(method, None)
        self.options[method] = options

    def forget_gaze(self) -> None:
        """What was said of another density map holds no more."""
        for record in self.records.values():
            record.forget_gaze()
