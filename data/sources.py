"""Images from elsewhere than a folder: a list, a WebDataset, TFRecords, an address.

    images.txt                          a path or URL a line
    images.csv, images.tsv              the columns `image` and, where there is one, `label`
    shard-{000..099}.tar, 'shard-*.tar' a WebDataset: 1.jpg with 1.cls beside it, an index or a name; or class folders
    'train-*.tfrecord'                  `tf.train.Example`s with an encoded image and, where there is one, a label
    s3://bucket/images, https://...     any of these but TFRecords, one image, or a folder, at an address of fsspec

Paths in a list are relative to it. A folder at an address has the layout of `dataset.load_dataset`. Listing reads the
heads of a tar's members, and TFRecords once; images are read when they are asked for (stored.py).
"""

import glob
import math
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from data.addresses import LISTS, PACKED, RECORDS, TABLES, TARS, check_address, is_url
from data.csv_tables import read_lines, read_table, show
from data.images import list_suffixes
from data.stored import CHECKSUM, FRAME, Stored, import_fsspec, open_binary

IMAGE_COLUMNS, LABEL_COLUMNS = ("image", "file", "path", "filename", "url"), ("label", "class")
IMAGE_FEATURES = ("image/encoded", "image", "image_raw", "jpeg", "jpg", "png")
LABEL_FEATURES = ("image/class/text", "class_name", "label_name", "image/class/label", "label", "class")
NAME_FEATURES = ("image/filename", "filename", "file_name")
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
TAR_LABEL = ".cls"  # an index of the model's classes, or a name
LONGEST_LABEL = 10_000  # bytes of such a file
MOST_FILES = 10**6  # that a pattern of numbers may stand for
WHAT = "images_folder"  # whose messages these are


@dataclass(frozen=True)
class Entries:
    """The n images that were found: names, where each lies, and labels.

    containers: paths or URLs that hold many; container: of each image, the place of its own, (n,); None: the image is
    a file, in the folder or at the address `root`. offsets, sizes: of its bytes, (n,). labels: of each a text, a number
    that is an index of the model's classes, or None; None: the names tell them. feature: as `Stored` has it.
    """

    names: Sequence[str]
    root: str = ""
    containers: Sequence[str] = ()
    container: np.ndarray | None = None
    offsets: np.ndarray | None = None
    sizes: np.ndarray | None = None
    labels: Sequence[str | int | None] | None = None
    feature: str = ""


def list_source(text: str) -> Entries:
    """The images of a source; ValueError if there is none, or it cannot be read."""
    check_address(text)
    files = _expand(text)
    ending = _ending(files[0])
    if files[0].lower().endswith(PACKED):
        raise ValueError(f"'{files[0]}' is compressed: no image in it can be read alone; a plain .tar was wanted")
    try:
        if ending in TARS:
            entries = _list_tars(files)
        elif ending in RECORDS:
            entries = _list_records(files)
        elif ending in (*LISTS, *TABLES):
            entries = _read_list(files[0], ending)
        elif is_url(text):
            entries = _list_address(text)
        else:
            raise ValueError(f"'{files[0]}' is none of {', '.join((*LISTS, *TABLES, *TARS, *RECORDS))}, and no address")
    except OSError as error:
        raise ValueError(f"cannot read '{text}': {error.strerror or error}") from None
    if not len(entries.names):
        raise ValueError(f"no image in '{text}'; read are {', '.join(list_suffixes())}")
    return entries


def locate(entries: Entries, number: int) -> Path | Stored:
    """Where an image lies."""
    name = str(entries.names[number])
    if entries.container is not None:
        where = entries.containers[entries.container[number]]
        member = name[len(PurePosixPath(where).stem) + 1 :] if len(entries.containers) > 1 or entries.feature else name
        return Stored(where, member, int(entries.offsets[number]), int(entries.sizes[number]), entries.feature)
    if is_url(name):
        return Stored(name)
    if is_url(entries.root):
        place, _, rest = entries.root.partition("::")
        place += "" if place.endswith("/") else "/"
        return Stored(f"{place}{name}" + (f"::{rest}" if rest else ""))
    return Path(entries.root) / name


# --- one kind after the other -------------------------------------------------------------------------------------
def _read_list(where: str, ending: str) -> Entries:
    with open_binary(where) as file:
        content = file.read()
    root = where[: where.rindex("/") + 1] if is_url(where) else str(Path(where).parent)
    if ending in LISTS:
        names = [line.strip() for line in read_lines(where, WHAT, content)]
        names, labels = [name for name in names if name and not name.startswith("#")], None
    else:
        table = read_table(where, WHAT, content)
        image, label = (
            next((place for name in known if (place := table.find(name)) is not None), None)
            for known in (IMAGE_COLUMNS, LABEL_COLUMNS)
        )
        if image is None:
            wanted = f"a column {IMAGE_COLUMNS[0]} was wanted"
            raise ValueError(f"{WHAT}: '{where}': {wanted}; it has {show(table.head) or 'none'}")
        rows = [cells for _, cells in table.rows() if cells[image]]
        names, labels = [row[image] for row in rows], None if label is None else [row[label] or None for row in rows]
    for name in names:
        check_address(name, where)
    return Entries(names, root, labels=labels)


def _list_tars(files: Sequence[str]) -> Entries:
    names, container, offsets, sizes, keys, labels = [], [], [], [], [], {}
    for place, where in enumerate(files):
        shard = PurePosixPath(where).stem
        for member, label in _list_members(where):
            path = PurePosixPath(member.name)
            key = place, str(path.parent), path.name.partition(".")[0]
            if label is not None:
                labels[key] = _as_label(label)
            elif path.suffix.lower() in list_suffixes():
                mark = "/" if len(path.parts) > 1 else ":"  # a shard is no class folder
                names.append(str(path) if len(files) == 1 else f"{shard}{mark}{path}")
                container.append(place)
                offsets.append(member.offset_data)
                sizes.append(member.size)
                keys.append(key)
    known = [labels.get(key) for key in keys] if labels else None
    return Entries(names, "", files, *map(np.array, (container, offsets, sizes)), labels=known)


def _list_members(where: str) -> Iterator[tuple[tarfile.TarInfo, str | None]]:
    """The files in an archive, and the text of those that are labels; ValueError for a damaged one."""
    try:
        with open_binary(where) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                is_label = member.name.lower().endswith(TAR_LABEL)
                if member.size < 0 or member.issparse() or (is_label and member.size > LONGEST_LABEL):
                    raise tarfile.TarError(f"the member '{member.name}' of {member.size:,} bytes")
                if member.isfile() and not PurePosixPath(member.name).name.startswith("."):
                    label = archive.extractfile(member).read() if is_label else None
                    yield member, None if label is None else label.decode("utf-8", "replace").strip()
                archive.members = []  # of a million members
    except OSError:
        raise
    except Exception as error:  # tarfile raises whatever it stumbles on in a damaged head
        raise ValueError(f"cannot read '{where}': damaged, or no .tar ({error or type(error).__name__})") from None


def _list_records(files: Sequence[str]) -> Entries:
    import tensorflow as tf

    names, labels, container, offsets, sizes, feature = [], [], [], [], [], ""
    for place, where in enumerate(files):
        offset = 0
        try:
            for number, record in enumerate(tf.data.TFRecordDataset(where).as_numpy_iterator()):
                features = tf.train.Example.FromString(record).features.feature
                feature = feature or _find_feature(features, IMAGE_FEATURES)
                label, name = (_read_value(features, known) for known in (LABEL_FEATURES, NAME_FEATURES))
                names.append(f"{PurePosixPath(where).stem}:{name or f'{number:06d}'}")
                labels.append(label)
                container.append(place)
                offsets.append(offset + FRAME.size)
                sizes.append(len(record))
                offset += FRAME.size + len(record) + CHECKSUM
        except _RecordError as error:
            raise ValueError(f"'{where}': {error}") from None
        except Exception as error:  # TensorFlow, and the protocol buffers
            reason = str(getattr(error, "message", error)).split("[[")[0].strip()
            raise ValueError(f"cannot read '{where}': damaged, compressed, or no TFRecord ({reason})") from None
    if len(set(names)) < len(names):  # file names that are not one image's alone
        numbers = np.arange(len(names)) - np.searchsorted(container, container)
        names = [f"{PurePosixPath(files[place]).stem}:{number:06d}" for place, number in zip(container, numbers)]
    known = labels if any(label is not None for label in labels) else None
    return Entries(names, "", files, *map(np.array, (container, offsets, sizes)), labels=known, feature=feature)


def _list_address(url: str) -> Entries:
    fsspec = import_fsspec()
    place, _, rest = url.partition("::")
    protocol = place.partition("://")[0]
    try:
        if "*" in place:
            whole = [file.path for file in fsspec.open_files(url)]
            root = f"{protocol}://" + (f"::{rest}" if rest else "")
            return Entries([name for name in whole if _is_image(name)], root)
        system, path = fsspec.core.url_to_fs(url)
        if not system.isdir(path):
            if not system.exists(path):
                raise ValueError(f"there is nothing at '{url}'")
            return Entries([url])
        found = sorted(name[len(path) :].strip("/") for name in system.find(path, maxdepth=2))
    except (ValueError, OSError):
        raise
    except Exception as error:  # the libraries behind URLs raise what they like
        raise ValueError(f"cannot read '{url}': {type(error).__name__}: {error}") from None
    images = [name for name in found if _is_image(name)]
    loose = [name for name in images if "/" not in name]
    return Entries(loose or images, url)


def _is_image(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in list_suffixes() and not path.name.startswith(".") and "_GFDM_N_" not in path.name


def _expand(text: str) -> list[str]:
    """The files of 'a-{000..099}.tar' or 'a-*.tar'; ValueError if there is none, or no end of them."""
    ranges = RANGE.findall(text)
    if math.prod(max(0, int(last[:9]) - int(first[:9]) + 1) for first, last in ranges) > MOST_FILES:
        raise ValueError(f"'{text}' stands for more than {MOST_FILES:,} files")
    found = list(_expand_range(text))
    if is_url(text):
        return found
    files = [path for one in found for path in (sorted(glob.glob(one)) if re.search(r"[*?]", one) else [one])]
    missing = [path for path in files if not _is_file(path)]
    if missing or not files:
        raise ValueError(f"there is no file '{missing[0] if missing else text}'")
    return files


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # a name that no file can have
        return False


def _expand_range(text: str) -> Iterator[str]:
    match = RANGE.search(text)
    if match is None:
        yield text
        return
    first, last = match.groups()
    for number in range(int(first), int(last) + 1):
        yield from _expand_range(f"{text[: match.start()]}{number:0{len(first)}d}{text[match.end() :]}")


def _ending(where: str) -> str:
    return PurePosixPath(where.partition("?")[0]).suffix.lower()


def _as_label(text: str) -> str | int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else text or None


class _RecordError(Exception):
    """What a file lacks, in words that follow its name."""


def _find_feature(features, names: Sequence[str]) -> str:
    found = next((name for name in names if name in features), None)
    if found is None:
        raise _RecordError(f"an image in one of {', '.join(names)} was wanted; it has {', '.join(features) or 'none'}")
    return found


def _read_value(features, names: Sequence[str]) -> str | int | None:
    """The first of these features that there is."""
    for name in names:
        if name in features:
            one = features[name]
            values = getattr(one, one.WhichOneof("kind") or "bytes_list").value
            if len(values) and isinstance(values[0], bytes):
                return values[0].decode("utf-8", "replace")
            if len(values):
                if values[0] % 1 != 0:  # NaN and infinity too
                    raise _RecordError(f"a class or its index was wanted in {name}; it has {values[0]}")
                return int(values[0])
    return None
