"""Samples of very many images, or of images in no folder: arrays, of which a `Sample` is made when it is asked for.

Above `constants.LARGE_RUN` images a folder is such a table too. Output files of so many are called by a digest of their
whole path, so that no name need be compared with all others: 'cats_1_jpg_3fa85c1200ab41d7'.
"""

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import constants
from data import dataset, films, sources
from data.addresses import is_source
from data.dataset import Sample
from data.fixations import Fixations
from data.images import UPRIGHT, Reading
from data.names import choose_file_stems, make_long_stem
from data.sources import Entries
from utils import find_class


class SampleTable(Sequence):
    """The samples of some entries, in their order.

    density_maps, fixations: by the names of images that have any. class_names, class_ids: the model's, once it is
    there. chosen: places of those that are the samples, (m,); None: all.
    """

    def __init__(
        self,
        entries: Entries,
        density_maps: Mapping[str, Path] | None = None,
        fixations: Mapping[str, Fixations] | None = None,
        reading: Reading = UPRIGHT,
        class_names: Sequence[str] = (),
        class_ids: Sequence[str] = (),
        chosen: np.ndarray | None = None,
    ):
        self._entries = replace(entries, names=_pack(entries.names))
        self._density_maps, self._fixations, self._reading = density_maps or {}, fixations or {}, reading
        self._chosen = np.arange(len(entries.names)) if chosen is None else chosen
        self._stems = None
        if len(entries.names) <= constants.LARGE_RUN:
            self._stems = choose_file_stems(list(map(str, entries.names)))
        if entries.labels is None:
            found = dataset.find_labels(list(map(str, entries.names)), class_names, class_ids)
        else:
            known = functools.cache(functools.partial(_name_label, class_names=tuple(class_names)))
            found = map(known, entries.labels)
        places = {}
        self._codes = np.array([places.setdefault(label, len(places)) for label in found], np.int32)
        self._labels = list(places)

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, place):
        if isinstance(place, slice):
            return [self._make(int(number)) for number in self._chosen[place]]
        return self._make(int(self._chosen[place]))

    def __iter__(self) -> Iterator[Sample]:
        return map(self._make, self._chosen.tolist())

    def labelled(self, class_names: Sequence[str], class_ids: Sequence[str] | None = None) -> "SampleTable":
        """The samples with the classes that their labels have in a model of these classes."""
        parts = self._entries, self._density_maps, self._fixations, self._reading
        return SampleTable(*parts, class_names, class_ids or (), self._chosen)

    def with_fixations(self, fixations: Mapping[str, Fixations]) -> "SampleTable":
        """The samples with what people looked at, by name."""
        return SampleTable(self._entries, self._density_maps, fixations, self._reading)

    def take_in_turn(self, limit: int | None) -> "SampleTable":
        """The first `limit` samples if each class gives one in turn, in their order; None: all."""
        if limit is None:
            return self
        groups, seen, rounds = self._codes[self._chosen], Counter(), []
        if self._entries.labels is None:
            groups = [dataset.group_of(str(self._entries.names[number])) for number in self._chosen]
        for group in groups:
            rounds.append(seen[group])
            seen[group] += 1
        chosen = np.sort(np.argsort(rounds, kind="stable")[:limit])
        taken = self.labelled(())
        taken._chosen = self._chosen[chosen]
        return taken

    def _make(self, number: int) -> Sample:
        name = str(self._entries.names[number])
        label, index = self._labels[self._codes[number]]
        return Sample(
            name,
            make_long_stem(name) if self._stems is None else self._stems[number],
            sources.locate(self._entries, number),
            label,
            index,
            self._density_maps.get(name),
            self._fixations.get(name),
            self._reading,
        )


def open_samples(
    images: str | Path,
    density_maps: str | Path | None = None,
    *,
    fixations: str | Path | Mapping[str, Fixations] | None = None,
    fixations_unit: str | None = None,
    reading: Reading = UPRIGHT,
    limit: int | None = None,
    frame_step: int | None = None,
) -> Sequence[Sample]:
    """The samples of a folder, one image, a source of sources.py, or a film, labelled by their names until a model is
    there.

    limit, frame_step: of a film, at most so many frames, and one of so many; of others nothing is left out here.

    A folder of up to `constants.LARGE_RUN` images is read by `dataset.load_dataset`; errors as there, and as
    `sources.list_source`.
    """
    if films.is_film(str(images)):
        if density_maps or fixations is not None:
            raise ValueError(f"'{images}' is a film: density maps and fixations are of single images")
        return films.list_frames(str(images), limit, frame_step or 1, reading)
    if frame_step is not None:
        raise ValueError(f"frame_step: '{images}' is no film")
    if is_source(str(images)):
        entries = sources.list_source(str(images))
    else:
        names = dataset.list_images(images, density_maps) if Path(images).is_dir() else []
        if len(names) <= constants.LARGE_RUN:
            options = {"fixations": fixations, "fixations_unit": fixations_unit, "reading": reading}
            return dataset.load_dataset(images, density_maps, **options)
        entries = Entries(names, str(images))
    names = list(map(str, entries.names))
    if len(set(names)) < len(names):
        twice = next(name for name, n in Counter(names).items() if n > 1)
        raise ValueError(f"'{images}': an image is listed twice: '{twice}'")
    found = {}
    if density_maps:
        is_shared = Path(density_maps).resolve() == Path(entries.root or ".").resolve()
        found = dataset.pair_density_maps(Path(entries.root) if is_shared else None, names, Path(density_maps))
    table = SampleTable(entries, {name: path for name, path in found.items() if path}, reading=reading)
    if fixations is None:
        return table
    looked_at = dataset.pair_fixations(names, fixations, fixations_unit)
    of_images = {}
    for place, name in enumerate(names):
        if looked_at[name] is not None and (points := dataset.in_pixels(table[place], looked_at[name])) is not None:
            of_images[name] = points
    return table.with_fixations(of_images)


def _pack(names: Sequence[str]) -> np.ndarray | Sequence[str]:
    """Very many names without an object for each; names that are no Unicode stay as they are."""
    if len(names) <= constants.LARGE_RUN or isinstance(names, np.ndarray):
        return names
    try:
        return np.array(names, dtype=np.dtypes.StringDType())
    except UnicodeEncodeError:
        return names


def _name_label(label: str | int | None, class_names: tuple[str, ...]) -> tuple[str | None, int | None]:
    """(label, class_index) of what a source says: a name, or an index of the model's classes."""
    if label is None:
        return None, None
    if isinstance(label, int):
        if not class_names:
            return str(label), None
        return (class_names[label], label) if 0 <= label < len(class_names) else (str(label), None)
    index = find_class(label, class_names)
    return (label if index is None else class_names[index]), index
