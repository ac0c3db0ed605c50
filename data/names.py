"""What the name of an image tells: what else belongs to it, and how its output files are called.

Density maps and fixations find their images by names alone (`pair_by_name`). Output files are called by a file stem
for each image (`choose_file_stems`), all different, the shortest that will do:

    a.jpg -> a        a.jpg, a.png -> a_jpg, a_png        cats/1.png, dogs/1.png -> cats_1, dogs_1
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha1
from pathlib import PurePosixPath
from typing import TypeVar

import constants
from data.images import HEIC_SUFFIXES
from utils import fold_name

MAX_STEM_LENGTH = 120  # bytes of a stem of output files; file systems take 255 for a whole name

DEVICES = re.compile(r"CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9]", re.IGNORECASE)  # on Windows, whatever ending follows

T = TypeVar("T")


def pair_by_name(names: Sequence[str], things: Mapping[str, T]) -> dict[str, T | None]:
    """Image name -> what is called as it is, or else with another image ending or none; None if nothing is.

    names: file names of images, or `<class>/<file name>`. things: by such names. `..._GFDM_N_<view>` goes before
    `..._N_<view>`. Without its folder a name counts only where no other image has it.
    """
    by_name = {}
    for thing_name, thing in things.items():
        path = PurePosixPath(thing_name)
        is_image = path.suffix.lower() in (*constants.IMAGE_SUFFIXES, *HEIC_SUFFIXES)  # else a dot is part of the stem
        for key in (path, path.with_suffix("") if is_image else path):
            by_name.setdefault(fold_name(str(key)), thing)
    stems = Counter(fold_name(PurePosixPath(name).stem) for name in names)
    pairs = {}
    for name in names:
        path = PurePosixPath(name)
        gfdm = path.with_name("_GFDM_N_".join(path.name.rsplit("_N_", 1)))
        keys = [gfdm, gfdm.with_suffix(""), path, path.with_suffix("")]
        if stems[fold_name(path.stem)] == 1:  # a flat folder cannot tell cats/1.png from dogs/1.png
            keys += [PurePosixPath(key.name) for key in keys]
        found = (by_name.get(fold_name(str(key))) for key in keys)
        pairs[name] = next((thing for thing in found if thing is not None), None)
    return pairs


def choose_file_stems(names: Sequence[str]) -> list[str]:
    """One stem per relative path, all different even where letter case does not count, as on macOS.

    Each tries `stem`, `folder_stem`, `folder_stem_ending`, and at worst adds a digest of its path. Names that
    clash all give way, so that no stem depends on the order of the names.
    """
    candidates = [_list_candidates(name) for name in names]
    levels = [0] * len(names)
    while True:
        stems = [options[level] for options, level in zip(candidates, levels)]
        counts = Counter(map(fold_name, stems))
        gives_way = [counts[fold_name(stem)] > 1 and level < 3 for stem, level in zip(stems, levels)]
        if not any(gives_way):
            return stems
        levels = [level + step for level, step in zip(levels, gives_way)]


def make_long_stem(name: str) -> str:
    """A stem that no other relative path has, whatever the others are: 'cats_1_jpg_3fa85c1200ab41d7'."""
    path = PurePosixPath(name)
    digest = sha1(name.encode(errors="surrogateescape")).hexdigest()[:16]
    return f"{_make_safe(f'{path.parent.name}_{path.stem}_{path.suffix[1:]}'.strip('_'))}_{digest}"


def _list_candidates(name: str) -> list[str]:
    """The four stems that a relative path may have, from the shortest to the one that is its own alone."""
    path = PurePosixPath(name)
    folder = f"{path.parent.name}_" if path.parent.name else ""
    stems = [path.stem, folder + path.stem, f"{folder}{path.stem}_{path.suffix[1:]}"]
    digest = sha1(name.encode(errors="surrogateescape")).hexdigest()[:8]
    return [*map(_make_safe, stems), f"{_make_safe(stems[-1])}_{digest}"]


def _make_safe(stem: str) -> str:
    """The stem without what file systems refuse: great length, reserved characters and names, a last dot or space;
    nor what drives a terminal or turns text round."""
    short = stem.encode(errors="replace")[:MAX_STEM_LENGTH].decode(errors="ignore")
    safe = re.sub(r'[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069<>:"/\\|?*]', "_", short)
    safe = safe.rstrip(". ") or "_"
    return f"_{safe}" if DEVICES.fullmatch(safe.partition(".")[0].strip()) else safe
