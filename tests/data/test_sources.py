"""Images from a list, a tar, TFRecords or an address are the images of the folder they were made of."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, COLOURS, GREEN, RED, picture

from data import dataset, sources
from data.addresses import is_source
from data.sample_table import SampleTable, open_samples
from data.stored import Stored


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six images in class folders."""
    folder = tmp_path_factory.mktemp("data") / "images"
    for number in range(6):
        colour = (RED, GREEN, BLUE)[number % 3]
        path = folder / COLOURS[colour] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(colour, seed=number)).save(path)
    return folder


@pytest.fixture(scope="module")
def plain(folder):
    """The samples of the folder itself."""
    return dataset.load_dataset(folder, class_names=COLOURS)


def write_tar(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def assert_same_images(samples, plain):
    assert len(samples) == len(plain)
    for sample, wanted in zip(samples, plain):
        np.testing.assert_array_equal(sample.read(), wanted.read())
        assert (sample.checksum, sample.read_size()) == (wanted.checksum, wanted.read_size())
        assert (sample.label, sample.class_index) == (wanted.label, wanted.class_index)


def labelled(text):
    return open_samples(text).labelled(COLOURS)


# --- lists --------------------------------------------------------------------------------------------------------
def test_a_list_names_images_beside_it_and_anywhere(folder, plain):
    lines = [f"images/{sample.name}" for sample in plain[:3]] + [str(sample.path) for sample in plain[3:]]
    path = folder.parent / "some.txt"
    path.write_text("# mine\n" + "\n".join(lines) + "\n\n")
    assert_same_images(labelled(str(path)), plain)


def test_a_table_tells_labels(folder, plain):
    path = folder.parent / "some.csv"
    rows = [f"images/{sample.name},{(*COLOURS, 'dog', '')[number]}" for number, sample in enumerate(plain[:5])]
    path.write_text("Image,label\n" + "\n".join(rows))
    samples = labelled(str(path))
    assert [(s.label, s.class_index) for s in samples] == [*zip(COLOURS, range(3)), ("dog", None), (None, None)]
    (folder.parent / "wrong.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="a column image was wanted; it has a, b"):
        open_samples(str(folder.parent / "wrong.csv"))


def test_an_image_that_is_listed_twice_or_not_there_is_told(folder):
    path = folder.parent / "twice.txt"
    path.write_text("images/red/0.png\nimages/red/0.png\n")
    with pytest.raises(ValueError, match="listed twice: 'images/red/0.png'"):
        open_samples(str(path))
    path.write_text("images/red/none.png\n")
    with pytest.raises(ValueError, match="there is no such file"):
        open_samples(str(path))[0].read()


# --- archives -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["index", "name", "folder"])
def test_shards_of_a_web_dataset_tell_labels_by_index_name_or_folder(folder, plain, tmp_path, kind):
    for shard in range(2):
        files = {}
        for sample in plain[3 * shard : 3 * shard + 3]:
            key = sample.stem if kind != "folder" else sample.name[:-4]
            files[f"{key}.png"] = sample.path.read_bytes()
            if kind != "folder":
                files[f"{key}.cls"] = (str(sample.class_index) if kind == "index" else sample.label).encode()
        write_tar(tmp_path / f"shard-{shard:03d}.tar", files)
    for text in ("shard-{000..001}.tar", "shard-*.tar"):
        samples = labelled(str(tmp_path / text))
        assert_same_images(samples, plain)
    assert (
        samples[0].name.startswith("shard-000/" if kind == "folder" else "shard-000:")
        and len({sample.stem for sample in samples}) == 6
    )
    assert samples[4].path.where.endswith("shard-001.tar")


def test_a_compressed_tar_a_damaged_one_and_an_empty_one_are_refused(folder, tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(ValueError, match="compressed: .* a plain .tar was wanted"):
        open_samples(str(tmp_path / "a.tar.gz"))
    (tmp_path / "b.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(ValueError, match="cannot read '.*b.tar'"):
        open_samples(str(tmp_path / "b.tar"))
    write_tar(tmp_path / "c.tar", {"read.me": b"no image"})
    with pytest.raises(ValueError, match="no image in '.*c.tar'"):
        open_samples(str(tmp_path / "c.tar"))
    with pytest.raises(ValueError, match="there is no file '.*none-000.tar'"):
        open_samples(str(tmp_path / "none-{000..003}.tar"))


def write_records(path, examples):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for features in examples:
            kinds = {
                name: tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
                if isinstance(value, int)
                else tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for name, value in features.items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=kinds)).SerializeToString())


@pytest.mark.parametrize("label", ["image/class/label", "image/class/text", None])
def test_records_are_read_where_they_lie(plain, tmp_path, label):
    for part in range(2):
        examples = []
        for sample in plain[3 * part : 3 * part + 3]:
            labels = {"image/class/label": sample.class_index, "image/class/text": sample.label.encode()}
            own = {} if label is None else {label: labels[label]}
            examples.append({"image/encoded": sample.path.read_bytes(), **own})
        write_records(tmp_path / f"train-{part}.tfrecord", examples)
    samples = labelled(str(tmp_path / "train-*.tfrecord"))
    if label is not None:
        assert_same_images(samples, plain)
    else:
        assert [sample.label for sample in samples] == [None] * 6
    assert samples[4].name == "train-1:000001" and samples[4].checksum == plain[4].checksum


def test_records_of_something_else_and_damaged_ones_are_told(plain, tmp_path):
    write_records(tmp_path / "a.tfrecord", [{"sound": b"x"}])
    with pytest.raises(ValueError, match="an image in one of image/encoded, .* was wanted; it has sound"):
        open_samples(str(tmp_path / "a.tfrecord"))
    path = tmp_path / "b.tfrecord"
    write_records(path, [{"image": plain[0].path.read_bytes()}])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="damaged, compressed, or no TFRecord"):
        open_samples(str(path))


# --- addresses ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["folder", "tar", "zip", "list", "image"])
def test_an_address_is_read_as_what_is_there(folder, plain, tmp_path, kind):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    wanted = plain
    if kind == "folder":
        memory.put(str(folder), "/images", recursive=True)
        url = "memory://images"
    elif kind == "tar":
        write_tar(tmp_path / "a.tar", {sample.name: sample.path.read_bytes() for sample in plain})
        memory.put(str(tmp_path / "a.tar"), "/a.tar")
        url = "memory://a.tar"
    elif kind == "zip":
        import zipfile

        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for sample in plain:
                archive.write(sample.path, sample.name)
        url = f"zip://*/*.png::file://{tmp_path}/a.zip"
    elif kind == "list":
        for sample in plain:
            memory.pipe(f"/listed/images/{sample.name}", sample.path.read_bytes())
        memory.pipe("/listed/list.txt", "\n".join(f"images/{sample.name}" for sample in plain).encode())
        url = "memory://listed/list.txt"
    else:
        memory.put(str(plain[0].path), f"/one/{plain[0].name}")
        url, wanted = f"memory://one/{plain[0].name}", plain[:1]
    try:
        assert_same_images(labelled(url), wanted)
    finally:
        memory.store.clear()


def test_what_is_not_at_an_address_is_told():
    pytest.importorskip("fsspec")
    with pytest.raises(ValueError, match="there is nothing at 'memory://nowhere'"):
        open_samples("memory://nowhere")
    with pytest.raises(ValueError, match="cannot read 'memory://a.png'"):
        dataset.Sample("a.png", "a", Stored("memory://a.png")).read()


def test_a_local_folder_or_image_is_no_source(folder):
    assert not any(map(is_source, (str(folder), str(folder / "red" / "0.png"), "none")))
    assert isinstance(open_samples(folder), list)


def test_a_file_that_ends_too_soon_is_told(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"1234")
    with pytest.raises(OSError, match="ends after 2 of 8 bytes"):
        Stored(str(tmp_path / "a.tar"), "x.png", 2, 8).read_bytes()
    assert Path(str(tmp_path / "a.tar")).name == Stored(str(tmp_path / "a.tar")).name
    assert isinstance(SampleTable(sources.Entries(["a/b.png"]))[0].path, Path)


# --- what nobody should bring -------------------------------------------------------------------------------------
def test_a_table_is_read_as_every_csv_is(folder, plain, tmp_path):
    rows = [f"{sample.path};{sample.label}" for sample in plain]
    (tmp_path / "all.csv").write_bytes(("image;label\r\n" + "\r\n".join(rows)).encode("utf-16"))
    assert_same_images(labelled(tmp_path / "all.csv"), plain)
    (tmp_path / "quote.csv").write_text(f'image,label\n"{plain[0].path},red\n{plain[1].path},green\n')
    with pytest.raises(ValueError, match="line 2 of '.*quote.csv' has a quote that does not end"):
        open_samples(tmp_path / "quote.csv")
    (tmp_path / "long.csv").write_text("image,label\n" + "a" * 200_000 + ",red\n")
    with pytest.raises(ValueError, match="cannot read '.*': File name too long"):
        open_samples(tmp_path / "long.csv")[0].read()


@pytest.mark.parametrize(
    "address", ["https://me:4711@host/a.png", "s3://key:4711@bucket/x", "zip://a::ftp://u:4711@h/b"]
)
def test_a_password_in_an_address_is_refused_and_not_shown(tmp_path, address):
    (tmp_path / "some.txt").write_text(f"a.png\n{address}\n")
    for source in (address, str(tmp_path / "some.txt")):
        with pytest.raises(ValueError, match="with a password in it") as error:
            open_samples(source)
        assert "4711" not in str(error.value)


def test_a_pattern_without_an_end_is_refused():
    with pytest.raises(ValueError, match="stands for more than 1,000,000 files"):
        open_samples("shard-{000..99999999999}.tar")
    with pytest.raises(ValueError, match="there is no file 'shard-00.tar'"):
        open_samples("shard-{00..99}.tar")


@pytest.mark.parametrize("size", [-512, -1, 2**62])
def test_a_tar_whose_member_has_a_size_that_none_can_have_is_refused(tmp_path, size):
    write_tar(tmp_path / "a.tar", {"0.png": b"x" * 600, "1.png": b"y"})
    content = bytearray((tmp_path / "a.tar").read_bytes())
    first = b"\xff" if size < 0 else b"\x80"
    content[124:136] = first + size.to_bytes(11, "big", signed=True)
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(ValueError, match="a.tar"):
        open_samples(tmp_path / "a.tar")[0].read()


def test_labels_that_are_no_index_are_names_or_none(folder, plain, tmp_path):
    image = plain[0].path.read_bytes()
    texts = [b"9" * 5000, b"-1", b"\xff", b"99", b"1"]
    files = {f"{n}{ending}": part for n, text in enumerate(texts) for ending, part in ((".png", image), (".cls", text))}
    write_tar(tmp_path / "a.tar", files)
    found = [(sample.label, sample.class_index) for sample in labelled(tmp_path / "a.tar")]
    assert found == [("9" * 5000, None), ("-1", None), ("\ufffd", None), ("99", None), (COLOURS[1], 1)]
    write_tar(tmp_path / "b.tar", {"0.png": image, "0.cls": bytes(20_000)})
    with pytest.raises(ValueError, match="b.tar.*the member '0.cls' of 20,000 bytes"):
        open_samples(tmp_path / "b.tar")


def write_labelled(path, *labels):
    import tensorflow as tf

    lists = {int: ("int64_list", tf.train.Int64List), float: ("float_list", tf.train.FloatList)}
    with tf.io.TFRecordWriter(str(path)) as writer:
        for label in labels:
            name, kind = lists[type(label)]
            features = {
                "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"x"])),
                "image/class/label": tf.train.Feature(**{name: kind(value=[label])}),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def test_a_negative_index_is_no_class_and_a_fraction_is_refused(tmp_path):
    write_labelled(tmp_path / "a.tfrecord", -1, 2, 1.0)
    found = [(sample.label, sample.class_index) for sample in labelled(tmp_path / "a.tfrecord")]
    assert found == [("-1", None), (COLOURS[2], 2), (COLOURS[1], 1)]
    for label in (0.5, float("nan"), float("inf")):
        write_labelled(tmp_path / "b.tfrecord", label)
        with pytest.raises(ValueError, match="b.tfrecord': a class or its index was wanted in image/class/label"):
            open_samples(tmp_path / "b.tfrecord")


def test_a_record_that_is_no_example_is_refused_by_its_file(tmp_path):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(b"\xff" * 50)
    with pytest.raises(ValueError, match="cannot read '.*a.tfrecord': damaged, compressed, or no TFRecord"):
        open_samples(tmp_path / "a.tfrecord")
