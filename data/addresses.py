"""What names images, told by the text alone: a list, archives, a URL; no file is opened and no library imported."""

import re
from pathlib import Path

LISTS, TABLES, TARS, RECORDS = (".txt",), (".csv", ".tsv"), (".tar",), (".tfrecord", ".tfrecords")
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def is_url(text: str) -> bool:
    """Whether it is an address for fsspec, and no path."""
    return "://" in text


def is_source(text: str) -> bool:
    """Whether it names images that are in no local folder, and is no single local image (sources.py)."""
    suffixes = (*LISTS, *TABLES, *TARS, *RECORDS, *PACKED)
    return is_url(text) or (text.lower().endswith(suffixes) and not Path(text).is_dir()) or _is_pattern(text)


def _is_pattern(text: str) -> bool:
    return bool(re.search(r"[*?]|\{\d+\.\.\d+\}", text)) and not Path(text).exists()
