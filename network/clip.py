"""How alike images and words are to a CLIP of keras_hub that the user has: the cosine of their embeddings.

    S(n, w) = <v_n, t_w> / (|v_n| |t_w|)

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021. The CLIP stands in a
folder as keras_hub's `save_to_preset` writes it; nothing is downloaded. Its files may name keras_hub's and Keras's own
classes alone. keras_hub is no requirement of this project: `requirements-clip.txt`.

Cost: a forward pass of the image encoder per image, one of the text encoder per word.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from network.model_config_check import CLASSES
from utils import in_batches


class Clip:
    """A CLIP of a preset folder.

    ValueError if the folder holds none, or names classes that are neither Keras's nor keras_hub's; ModuleNotFoundError
    without keras_hub.
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        if not (folder / "config.json").is_file():
            raise ValueError(f"--clip: a folder of a keras_hub preset is wanted; there is no config.json in '{folder}'")
        try:
            import keras_hub
        except ModuleNotFoundError:
            raise ValueError("--clip needs keras_hub: pip install -r requirements-clip.txt") from None

        for path in sorted(folder.glob("*.json")):
            try:
                _check_classes(json.loads(path.read_text(encoding="utf-8")), path)
            except json.JSONDecodeError as error:
                raise ValueError(f"--clip: '{path}' is no JSON file: {error}") from None
        try:
            self.backbone = keras_hub.models.CLIPBackbone.from_preset(str(folder))
            self.preprocessor = keras_hub.models.CLIPPreprocessor.from_preset(str(folder))
        except Exception as error:  # keras_hub raises whatever it stumbles on
            raise ValueError(f"--clip: '{folder}' holds no CLIP that keras_hub can load: {error}") from error

    def embed_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings (n, D) of length 1, of uint8 RGB images (H, W, 3), of any sizes."""
        convert = self.preprocessor.image_converter
        pixels = np.stack([np.asarray(convert(image.astype(np.float32)[None]))[0] for image in images])
        return _normalise(self.backbone.get_vision_embeddings(pixels))

    def embed_words(self, words: Sequence[str]) -> np.ndarray:
        """Embeddings (n, D) of length 1, of texts."""
        given = self.preprocessor({"images": None, "prompts": list(words)})
        return _normalise(self.backbone.get_text_embeddings(given["token_ids"]))


def compute_similarities(
    clip: Clip, n_images: int, read: Callable[[int], np.ndarray], words: Sequence[str], batch_size: int
) -> np.ndarray:
    """The cosines (n_images, W), float32; read(number): the image of that number, uint8 RGB."""
    batches = in_batches(range(n_images), batch_size)
    images = np.concatenate([clip.embed_images([read(number) for number in batch]) for batch in batches])
    texts = np.concatenate([clip.embed_words(some) for some in in_batches(words, batch_size)])
    return images @ texts.T


def _check_classes(config, path: Path) -> None:
    """ValueError if the config, at any depth, names a class that is neither keras_hub's nor harmless in Keras."""
    if isinstance(config, dict):
        module, name = str(config.get("module") or "keras_hub"), config.get("class_name")
        if name is not None and module.split(".")[0] != "keras_hub" and name not in CLASSES.get(module, ()):
            raise ValueError(f"--clip: '{path}' names {module}.{name}, which a CLIP of keras_hub has not: refused")
    for item in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        _check_classes(item, path)


def _normalise(embeddings) -> np.ndarray:
    embeddings = np.asarray(embeddings, dtype=np.float32)
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
