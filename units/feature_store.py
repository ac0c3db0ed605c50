"""Features of many images on disk, so that a network runs once however often they are looked at.

    <folder>/features/<layer>/<stem>.npy        float32 (h, w, K), of one image at one layer

Memory is that of one batch; on disk an image takes 4 h w K bytes a layer (0.4 MB for 7 x 7 x 2048). An image whose
files are there is not computed again, so that a run that was stopped, or is asked something else, goes on.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from data.ahead import read_ahead
from data.dataset import Sample
from output.files import read_array, save_array, write_whole
from output.progress import Progress

BLOCK = 2**20  # activations read at a time: 4 MB


class FeatureStore:
    """The features of a data set at some layers of one network, in a folder."""

    def __init__(self, folder: str | Path, layer_names: Sequence[str]):
        self.folder, self.layer_names = Path(folder) / "features", list(layer_names)
        self._first: dict[str, tuple[Path, tuple[int, ...]]] = {}  # layer -> the file read first, its shape

    def has(self, sample: Sample) -> bool:
        """Whether the features of an image are there for every layer."""
        return all(self._path(layer, sample).is_file() for layer in self.layer_names)

    def read(self, layer: str, sample: Sample, pooled: bool = False) -> np.ndarray:
        """Features (h, w, K) of an image, or their mean over positions, (1, 1, K); ValueError for a damaged file, or
        one of another shape than that of the image before."""
        path = self._path(layer, sample)
        features = read_array(path, 3)
        first, shape = self._first.setdefault(layer, (path, features.shape))
        if features.shape != shape:
            raise ValueError(
                f"'{path}' holds features {features.shape}, '{first}' {shape}: remove the one that is damaged, and the "
                "same command makes it again"
            )
        return features.mean(axis=(0, 1), keepdims=True) if pooled else features

    def blocks(self, layer: str, samples: Sequence[Sample], pooled: bool = False) -> Iterator[np.ndarray]:
        """The activations of all units at all positions of the images, or their means, some (n, K) at a time."""
        block, n_values = [], 0
        for sample in samples:
            features = self.read(layer, sample, pooled)
            block.append(features.reshape(-1, features.shape[-1]))
            n_values += features.size
            if n_values >= BLOCK:
                yield np.concatenate(block)
                block, n_values = [], 0
        if block:
            yield np.concatenate(block)

    def compute(self, classifier, samples: Sequence[Sample], progress: Progress) -> dict[str, str]:
        """Adds what is missing of the images, a batch at a time; image -> why it has no features, of those that fail.

        classifier: its `by_layer` look at the layers of this store. ValueError if the disk is too small for all.
        """
        missing = [sample for sample in samples if not self.has(sample)]
        size, failed = (classifier.input_height, classifier.input_width), {}
        starts = range(0, len(missing), classifier.batch_size)
        groups = ((start, missing[start : start + classifier.batch_size]) for start in starts)
        since = time.monotonic()
        for begin, pictures in read_ahead(groups, *size, np.uint8):
            group, batch = missing[begin : begin + classifier.batch_size], []
            progress.begin("features", group[0].name)
            for sample in group:
                if isinstance(pictures[sample.stem], str):
                    failed[sample.name] = pictures[sample.stem]
                else:
                    batch.append(sample)
            if batch:
                images = np.stack([pictures[sample.stem].pixels for sample in batch])
                features = classifier.features_by_layer(images.astype(np.float32))
                if begin == 0:
                    self._check_room(sum(layer.nbytes for layer in features) / len(batch) * len(missing))
                for sample, *of_layers in zip(batch, *features):
                    if reason := self._add(sample, of_layers):
                        failed[sample.name] = reason
            progress.end("features", group[-1].name, time.monotonic() - since)
            since = time.monotonic()
        return failed

    def _add(self, sample: Sample, features: Sequence[np.ndarray]) -> str:
        """Writes the features (h, w, K) of an image, one of each layer; why not, if they are not finite."""
        if not all(np.isfinite(of_layer).all() for of_layer in features):
            return f"'{sample.name}' has activations that are not finite"
        for layer, of_layer in zip(self.layer_names, features):
            write_whole(self._path(layer, sample), lambda path, array=of_layer: save_array(path, array))
        return ""

    def _path(self, layer: str, sample: Sample) -> Path:
        return self.folder / layer.replace("/", ".") / f"{sample.stem}.npy"

    def _check_room(self, n_bytes: float) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if n_bytes > free:
            raise ValueError(
                f"the features take {n_bytes / 1e6:,.1f} MB, '{self.folder}' has room for {free / 1e6:,.1f}: "
                "choose fewer layers or images, or another --output_folder_path"
            )
