"""What belongs to which image, told by names alone: density maps and fixations find their images here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TypeVar

import constants
from utils import fold_name

T = TypeVar("T")


def pair_by_name(names: Sequence[str], things: Mapping[str, T]) -> dict[str, T | None]:
    """Image name -> what is called as it is, or else with another image ending or none; None if nothing is.

    names: file names of images, or `<class>/<file name>`. things: by such names. `..._GFDM_N_<view>` goes before
    `..._N_<view>`. Without its folder a name counts only where no other image has it.
    """
    by_name = {}
    for thing_name, thing in things.items():
        path = PurePosixPath(thing_name)
        is_image = path.suffix.lower() in constants.IMAGE_SUFFIXES  # else a dot is part of the stem
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
