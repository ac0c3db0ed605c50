"""The files of a run, to be read: by the run itself that goes on, and by `report.py`.

<folder>/run.json                    flags, seed, versions, model, layer, score, class rule, host
<folder>/records.csv                 one row per method and image, appended as it comes
<folder>/maps/<METHOD>/<stem>.npy    the raw float32 map
<folder>/curves/<METHOD>/<stem>.csv  fraction of pixels, insertion score, deletion score
<folder>/figures/                    written by display.py
"""

import json
from pathlib import Path

import numpy as np

from pipeline.records import Record, read_records


class RunFolder:
    """Where the files of a run are, and what is in them."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def read_description(self) -> dict:
        """What run.json tells, 'settings' with their 'methods' among it; ValueError for a file of somebody else."""
        path = self.folder / "run.json"
        try:
            description = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
            dict(description["settings"]["methods"])
        except FileNotFoundError:
            raise ValueError(f"'{self.folder}' holds no run.json: a folder of main.py is wanted") from None
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"'{path}' is not of a run of main.py: choose another --output_folder_path") from None
        return description

    def read_records(self) -> dict[tuple[str, str], Record]:
        """(method, image) -> its record; of two rows of one image the later counts."""
        return {(record.method, record.image): record for record in read_records(self.folder / "records.csv")}

    def map_path(self, method: str, stem: str) -> Path:
        """Where the raw map of an image is kept."""
        return self.folder / "maps" / method / f"{stem}.npy"

    def curves_path(self, record: Record) -> Path:
        """Where the curves of a record are kept."""
        return self.folder / "curves" / record.method / f"{record.stem}.csv"

    def picture_path(self, record: Record, what: str) -> Path:
        """Where one picture of an image is kept."""
        return self.folder / "figures" / record.method / f"{record.stem}_{what}.png"

    def read_map(self, record: Record) -> np.ndarray:
        """The raw map (H, W) of a record; ValueError if its file is missing or damaged."""
        path = self.map_path(record.method, record.stem)
        try:
            return np.load(path)
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"cannot read the map '{path}' ({error}); remove it, and the run makes it again") from None

    def read_curves(self, record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """(fractions, insertion scores, deletion scores) of a record; None where they were not measured."""
        path = self.curves_path(record)
        if not path.is_file():
            return None
        try:
            fractions, insertion, deletion = np.loadtxt(path, delimiter=",", skiprows=1, unpack=True)
        except ValueError as error:
            raise ValueError(f"cannot read the curves '{path}' ({error}); --overwrite makes the run anew") from None
        return fractions, insertion, deletion
