"""What names images, told by the text alone: a list, archives, a URL, a film, a camera.

No file is opened and no library imported.
"""

import re
from pathlib import Path

LISTS, TABLES, TARS, RECORDS = (".txt",), (".csv", ".tsv"), (".tar",), (".tfrecord", ".tfrecords")
FILMS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
SECRET = re.compile(r"://[^/?#@]*:[^/?#]*@")
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def is_url(text: str) -> bool:
    """Whether it is an address for fsspec, and no path."""
    return "://" in text


def check_address(text: str, source: str = "") -> None:
    """Raises ValueError for a URL with a password in it: names of images stand in records, tables and on the screen.

    source: the list that it stands in.
    """
    if is_url(text) and SECRET.search(text):
        where = f"'{source}' names " if source else ""
        raise ValueError(
            f"images_folder: {where}'{SECRET.sub('://...@', text)}', with a password in it that run.json would hold: "
            "give it to fsspec by a variable FSSPEC_<PROTOCOL>_<OPTION>, or in ~/.config/fsspec"
        )


def is_source(text: str) -> bool:
    """Whether it names images that are in no local folder, and is no single local image (sources.py)."""
    suffixes = (*LISTS, *TABLES, *TARS, *RECORDS, *PACKED)
    return is_url(text) or (text.lower().endswith(suffixes) and not Path(text).is_dir()) or _is_pattern(text)


def is_film_name(text: str) -> bool:
    """Whether it is called as a film is; a .gif may be one too (films.py)."""
    return not is_url(text) and Path(text).suffix.lower() in FILMS


def is_camera(text: str) -> bool:
    """Whether it is the number of a camera, and no path."""
    return text.isascii() and text.isdecimal() and not Path(text).exists()


def _is_pattern(text: str) -> bool:
    return bool(re.search(r"[*?]|\{\d+\.\.\d+\}", text)) and not Path(text).exists()
