"""Stems of output files: one for each image, all different, the shortest that will do.

a.jpg -> a        a.jpg, a.png -> a_jpg, a_png        cats/1.png, dogs/1.png -> cats_1, dogs_1
"""

import re
from collections import Counter
from collections.abc import Sequence
from hashlib import sha1
from pathlib import PurePosixPath

import constants
from utils import fold_name


def choose_stems(names: Sequence[str]) -> list[str]:
    """One stem per relative path, all different even where letter case does not count, as on macOS.

    Each tries `stem`, `folder_stem`, `folder_stem_ending`, and at worst adds a digest of its path. Names that
    clash all give way, so that no stem depends on the order of the names.
    """
    candidates = [_list_stems(name) for name in names]
    levels = [0] * len(names)
    while True:
        stems = [options[level] for options, level in zip(candidates, levels)]
        counts = Counter(map(fold_name, stems))
        gives_way = [counts[fold_name(stem)] > 1 and level < 3 for stem, level in zip(stems, levels)]
        if not any(gives_way):
            return stems
        levels = [level + step for level, step in zip(levels, gives_way)]


def _list_stems(name: str) -> list[str]:
    """The four stems that a relative path may have, from the shortest to the one that is its own alone."""
    path = PurePosixPath(name)
    folder = f"{path.parent.name}_" if path.parent.name else ""
    stems = [path.stem, folder + path.stem, f"{folder}{path.stem}_{path.suffix[1:]}"]
    digest = sha1(name.encode(errors="surrogateescape")).hexdigest()[:8]
    return [*map(_make_safe, stems), f"{_make_safe(stems[-1])}_{digest}"]


def _make_safe(stem: str) -> str:
    """The stem without what file systems refuse: great length, reserved characters, a last dot or space."""
    short = stem.encode(errors="replace")[: constants.MAX_STEM_LENGTH].decode(errors="ignore")
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", short).rstrip(". ") or "_"
