"""Images that are no file of their own: at a URL, in a tar, in a TFRecord; read when they are asked for.

Stored("s3://bucket/cats/1.jpg")                                a file at a URL (fsspec)
Stored("shards/000001.tar", "1.jpg", 512, 20480)                bytes of a file, or of one at a URL
Stored("train.tfrecord", "12", 40960, 20480, "image/encoded")   a feature of the Example that lies there
"""

import contextlib
import struct
from dataclasses import dataclass
from pathlib import PurePosixPath

from data.addresses import is_url

FRAME = struct.Struct("<QI")  # in front of a record: its length, and the checksum of that
CHECKSUM = 4  # bytes, behind it


@dataclass(frozen=True)
class Stored:
    """The bytes of one image. where: a path or URL; member: its name in there, '' for all of it; size: in bytes.

    feature: of the `tf.train.Example` that these bytes are, where there is one.
    """

    where: str
    member: str = ""
    offset: int = 0
    size: int = -1
    feature: str = ""

    def __str__(self) -> str:
        return f"{self.where}:{self.member}" if self.member else self.where

    @property
    def name(self) -> str:
        """The name of a file."""
        return PurePosixPath(self.member or self.where).name

    @property
    def suffix(self) -> str:
        """The ending of that name."""
        return PurePosixPath(self.name).suffix

    def read_bytes(self) -> bytes:
        """The image as it is stored; OSError if it cannot be read."""
        try:
            content = read_range(self.where, self.offset, self.size)
            return read_example(content)[self.feature][0] if self.feature else content
        except OSError:
            raise
        except Exception as error:  # the libraries behind URLs raise what they like
            raise OSError(f"{type(error).__name__}: {error}") from None


def read_range(where: str, offset: int = 0, size: int = -1) -> bytes:
    """Bytes of a file at a path or URL; OSError if there are fewer than asked for."""
    with open_binary(where) as file:
        file.seek(offset)
        content = file.read(size) if size >= 0 else file.read()
    if len(content) < size:
        raise OSError(f"it ends after {len(content)} of {size} bytes")
    return content


@contextlib.contextmanager
def open_binary(where: str):
    """The file at a path or URL, to be read from any place."""
    with open(where, "rb") if not is_url(where) else import_fsspec().open(where, "rb") as file:
        yield file


def import_fsspec():
    """The module; ValueError where it is not installed."""
    try:
        import fsspec
    except ModuleNotFoundError:
        raise ValueError("images at a URL are read by fsspec: pip install -r requirements-large.txt") from None
    return fsspec


def read_example(content: bytes) -> dict[str, list]:
    """Name -> values of the features of a `tf.train.Example`; OSError if it is none."""
    import tensorflow as tf

    try:
        features = tf.train.Example.FromString(content).features.feature
    except Exception:  # of the protocol buffers, of several names
        raise OSError("a record that is no tf.train.Example") from None
    return {name: list(getattr(one, one.WhichOneof("kind") or "bytes_list").value) for name, one in features.items()}
