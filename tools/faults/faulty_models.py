"""Malformed and malicious model files, loaded without trust, asked about an image and explained."""

import io
import json
import shutil
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tools.faults.faulty_images import explain
from tools.faults.mangle import spoil_bytes, spoil_json
from tools.faults.trials import FaultyInput, Kind, Place

SIDE = 32  # pixels of the sound models
WAYS = (  # to spoil what a HDF5 file holds
    "link", "soft link", "ring", "missing", "shape", "texts", "compound", "complex", "NaN", "huge", "scalar",
    "packed", "attribute", "empty", "half",
)  # fmt: skip


def list_code(place: Place) -> list:
    """Parts of a config that would run code, or read or write a file, if Keras made them."""
    canary, saved_model = str(place.canary), str(place.outside / "saved_model")
    write = f"open({canary!r}, 'w').write('x')"
    layer = {"module": "keras.layers", "registered_name": None}
    return [
        {
            **layer,
            "class_name": "Lambda",
            "config": {"name": "l", "function": {"class_name": "__lambda__", "config": {"code": write}}},
        },
        {
            **layer,
            "class_name": "Lambda",
            "config": {"name": "l", "function": "TFSMLayer", "arguments": {"filepath": saved_model}},
        },
        {**layer, "class_name": "TFSMLayer", "config": {"filepath": saved_model, "call_endpoint": "serving_default"}},
        {"module": "keras.layers", "class_name": "function", "config": "TFSMLayer", "registered_name": "function"},
        {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
        {"module": "os", "class_name": "function", "config": "system", "registered_name": "function"},
        {"module": "keras.utils", "class_name": "function", "config": "get_file", "registered_name": "function"},
        {"module": "keras.src.saving.saving_api", "class_name": "function", "config": "load_model"},
        {"module": "keras.models", "class_name": "clone_model", "config": {}},
        {"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", canary]}},
        {**layer, "class_name": "StringLookup", "config": {"name": "s", "vocabulary": str(place.secret)}},
        {**layer, "class_name": "TextVectorization", "config": {"name": "t", "vocabulary": str(place.secret)}},
        {**layer, "class_name": "TorchModuleWrapper", "config": {"name": "w", "module": "gASVBA=="}},
        {"class_name": "__lambda__", "config": {"code": write}},
        {"class_name": "__import__", "config": "os"},
        f"__import__('os').system('touch {canary}')",
        str(place.secret),
    ]


def build_models() -> list:
    """Sound Keras models of a kind each: plain, with attention over tokens, nested."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    images = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(6, 3, strides=4, activation="relu", name="conv")(layers.Rescaling(1 / 255)(images))
    x = layers.BatchNormalization(name="norm")(x)
    plain = keras.Model(images, layers.Dense(3, "softmax", name="head")(layers.GlobalAveragePooling2D()(x)))
    tokens = layers.Reshape((16, 8))(layers.Conv2D(8, 8, strides=8)(images))
    tokens = layers.Add()([tokens, layers.MultiHeadAttention(2, 4)(tokens, tokens)])
    attending = keras.Model(images, layers.Dense(3)(layers.GlobalAveragePooling1D()(tokens)))
    inner = keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Conv2D(4, 3, strides=4), layers.ReLU()])
    nested = keras.Sequential([inner, layers.Flatten(), layers.Dense(2, "sigmoid")])
    return [plain, attending, nested]


class Models(Kind):
    """A .keras or .h5 file, a SavedModel folder, or what else is taken for a model."""

    def prepare(self, place: Place) -> None:
        """Writes the sound models, and a SavedModel that writes the canary file as soon as it is loaded."""
        import utils

        utils.load_tensorflow()
        import tensorflow as tf

        self.sound = []
        for number, model in enumerate(build_models()):
            for ending in (".keras", ".h5"):
                path = place.outside.parent / f"{number}{ending}"
                model.save(path)
                self.sound.append((ending, path.read_bytes()))
        self.saved_model = place.outside / "saved_model"
        if not self.saved_model.is_dir():

            class WritingModule(tf.Module):
                @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3))])
                def __call__(self, x):
                    tf.io.write_file(str(place.canary), "x")
                    return x[:, 0, 0]

            tf.saved_model.save(WritingModule(), str(self.saved_model))
        self.image = place.outside.parent / "image.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)).save(self.image)
        write_secret_weights(place)

    def make(self, rng: np.random.Generator, place: Place) -> FaultyInput:
        """One file."""
        ending, content = self.sound[rng.integers(len(self.sound))]
        path = place.inside / f"model{ending}"
        path.write_bytes(content)
        ways = [self._bytes, self._config, self._config, self._weights, self._settings, self._archive, self._other]
        words = ways[rng.integers(len(ways))](rng, path, place)
        return FaultyInput(f"{path.name}: {words}", lambda: self._load(path, place), [path.name])

    def _load(self, path: Path, place: Place) -> int:
        from network.model_files import load_classifier

        image = place.inside / "image.png"
        shutil.copyfile(self.image, image)
        classifier, source = load_classifier(model_path=path)
        probabilities = classifier.predict(
            np.zeros((1, classifier.input_height, classifier.input_width, 3), np.float32)
        )
        if not np.isfinite(probabilities).all():
            raise RuntimeError("the probabilities are not finite, and nobody says so")
        return explain(image, classifier)

    def _bytes(self, rng, path, place):
        words, content = spoil_bytes(rng, path.read_bytes())
        path.write_bytes(content)
        return words

    def _config(self, rng, path, place):
        if path.suffix == ".keras":
            words, text = spoil_json(rng, json.loads(read_entry(path, "config.json")), list_code(place))
            repack(path, {"config.json": text.encode()})
            return f"config: {words}"
        import h5py

        with h5py.File(path, "r+") as file:
            words, text = spoil_json(rng, json.loads(file.attrs["model_config"]), list_code(place))
            del file.attrs["model_config"]
            space = h5py.h5s.create(h5py.h5s.SCALAR)  # of any length: h5py's own way holds 64 KB
            try:
                file.attrs["model_config"] = text
            except (OSError, ValueError, RuntimeError):
                file.attrs["model_config"] = text[:60_000]
            del space
        return f"config: {words}"

    def _weights(self, rng, path, place):
        target = path
        if path.suffix == ".keras":
            target = path.with_suffix(".weights.h5")
            target.write_bytes(read_entry(path, "model.weights.h5"))
        words = spoil_weights(rng, target, place)
        if target is not path:
            repack(path, {"model.weights.h5": target.read_bytes()})
            target.unlink()
        return f"weights: {words}"

    def _settings(self, rng, path, place):
        settings = {
            "class_names": ["a", "b", "c"],
            "preprocessing": "none",
            "input_size": [SIDE, SIDE],
            "model_name": "ResNet50",
        }
        words, text = spoil_json(rng, settings)
        if path.suffix == ".keras":
            repack(path, {"classifier.json": text.encode("utf-8", "surrogatepass")})
        return f"classifier.json: {words}"

    def _archive(self, rng, path, place):
        content = (
            {name: read_entry(path, name) for name in ("config.json", "model.weights.h5")}
            if path.suffix == ".keras"
            else {"config.json": b"{}"}
        )
        path = path.with_suffix(".keras") if path.suffix == ".keras" else path
        way = str(
            rng.choice(
                ["climbs", "absolute", "encrypted", "link", "twice", "bomb", "long", "method", "checksum", "inner"]
            )
        )
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in content.items():
                entry = zipfile.ZipInfo(name)
                entry.compress_type = zipfile.ZIP_DEFLATED
                if way == "link" and name == "model.weights.h5":
                    entry.external_attr = 0o120777 << 16
                    data = str(place.secret).encode()
                if way == "bomb" and name == "model.weights.h5":
                    data = data + bytes(3 * 10**8)
                if way == "long" and name == "config.json":
                    data = b" " * 3 * 10**8 + data
                archive.writestr(entry, data)
            if way in ("climbs", "absolute"):
                archive.writestr("../" * 9 + str(place.canary) if way == "climbs" else str(place.canary), "x")
            if way == "twice":
                archive.writestr("config.json", '{"class_name": "Lambda", "config": {}}')
            if way == "inner":
                archive.writestr("assets/x.py", "raise SystemExit(99)")
        raw = bytearray(file.getvalue())
        for signature, flags, method, checksum in ((b"PK\x01\x02", 8, 10, 16), (b"PK\x03\x04", 6, 8, 14)):
            for place_ in (
                [i for i in range(len(raw) - 4) if raw[i : i + 4] == signature]
                if way in ("encrypted", "method", "checksum")
                else ()
            ):
                if way == "encrypted":
                    raw[place_ + flags] |= 1
                if way == "method":
                    raw[place_ + method] = 99
                if way == "checksum":
                    raw[place_ + checksum] ^= 255
        path.write_bytes(raw)
        return f"archive: {way}"

    def _other(self, rng, path, place):
        ways = {
            "a SavedModel": lambda: (path.unlink(), shutil.copytree(self.saved_model, path)),
            "a pickle": lambda: path.write_bytes(b"cos\nsystem\n(S'touch %s'\ntR." % str(place.canary).encode()),
            "a folder": lambda: (path.unlink(), path.mkdir()),
            "nothing": lambda: path.write_bytes(b""),
            "zeros": lambda: path.write_bytes(bytes(10_000)),
            "weights alone": lambda: path.write_bytes(read_entry_of(self.sound[0][1], "model.weights.h5")),
            "JSON, deep": lambda: path.write_bytes(b'{"class_name":' * 50_000),
            "PyTorch": lambda: path.write_bytes(archive_of({"archive/data.pkl": b"cos\nsystem\n."})),
            "a link to the secret": lambda: (path.unlink(), path.symlink_to(path.name)),
            "escapes": lambda: path.write_bytes(b"\x1b]0;owned\x07" * 100),
        }
        way = str(rng.choice(list(ways)))
        ways[way]()
        return way


# --- archives and HDF5 ----------------------------------------------------------------------------------------------
def read_entry(path: Path, name: str) -> bytes:
    """An entry of a .keras file."""
    return read_entry_of(path.read_bytes(), name)


def read_entry_of(content: bytes, name: str) -> bytes:
    """An entry of a .keras file's bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def archive_of(entries: dict[str, bytes]) -> bytes:
    """A zip archive of these entries."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def repack(path: Path, changed: dict[str, bytes]) -> None:
    """Writes an archive anew with these entries in the place of its own."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    path.write_bytes(archive_of(entries | changed))


def write_secret_weights(place: Place) -> None:
    """A HDF5 file outside, whose numbers a link could take for weights."""
    import h5py

    path = place.outside / "secret.h5"
    if not path.exists():
        with h5py.File(path, "w") as file:
            file["secret"] = np.full((9, 9), 4711.0, np.float32)


def spoil_weights(rng: np.random.Generator, path: Path, place: Place) -> str:
    """Changes one dataset, group or attribute of a HDF5 file; in words, what."""
    import h5py

    with h5py.File(path, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name))
        datasets = [name for name in names if isinstance(file[name], h5py.Dataset)]
        name = str(rng.choice(datasets if rng.random() < 0.8 else names))
        shape = getattr(file[name], "shape", None)
        ways = [*WAYS, "outside", "virtual"] if shape else WAYS
        way = str(rng.choice(ways))
        if way == "attribute":
            item = file[name]
            item.attrs["name"] = [3, b"\xff", "x" * 1000][rng.integers(3)]
            for key in list(file.attrs):
                if key.startswith("layer_names"):
                    file.attrs[key] = np.array([b"../x", b"\xff"])
            return f"attributes of {name}"
        del file[name]
        match way:
            case "link":
                file[name] = h5py.ExternalLink(str(place.outside / "secret.h5"), "/secret")
            case "soft link":
                file[name] = h5py.SoftLink("/nowhere")
            case "ring":
                file[name] = h5py.SoftLink(f"/{name}")
            case "shape":
                file[name] = np.zeros(rng.integers(0, 5, rng.integers(0, 4)), np.float32)
            case "texts":
                file[name] = np.full(shape or 1, b"text")
            case "compound":
                file[name] = np.zeros(shape or 1, [("a", "f4"), ("b", "i4")])
            case "complex":
                file[name] = np.zeros(shape or 1, np.complex64)
            case "NaN":
                file[name] = np.full(shape or 1, np.nan, np.float32)
            case "half":
                file[name] = np.zeros(shape or 1, np.float16)
            case "huge":
                file.create_dataset(name, (2**20, 2**20), np.float32, chunks=(64, 64))
            case "packed":
                sides = (2**13, 2**13) if shape and len(shape) == 2 else (2**26,)
                kept = (file.create_dataset(name, sides, np.float32, chunks=sides, compression="gzip")).id
                kept.write_direct_chunk((0,) * len(sides), zlib.compress(bytes(2**28), 1))
            case "scalar":
                file[name] = 3.0
            case "empty":
                file[name] = h5py.Empty("f4")
            case "outside":
                file.create_dataset(name, shape, np.float32, external=[(str(place.secret), 0, h5py.h5f.UNLIMITED)])
            case "virtual":
                layout = h5py.VirtualLayout(shape, np.float32)
                layout[:] = h5py.VirtualSource(str(place.outside / "secret.h5"), "secret", shape=shape)
                file.create_virtual_dataset(name, layout)
    return f"{name}: {way}"
