"""A CLIP of keras_hub: its cosines are those of its own logits; what is no such folder is refused."""

import json

import numpy as np
import pytest

from network.clip import Clip, compute_similarities

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """A tiny random CLIP as `save_to_preset` leaves it."""
    hub = pytest.importorskip("keras_hub")
    tokens = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "re", "<|startoftext|>", "<|endoftext|>"]
    sizes = {"hidden_dim": 16, "num_layers": 1, "num_heads": 2, "intermediate_dim": 32}
    vision = hub.models.CLIPVisionEncoder(patch_size=16, image_shape=(32, 32, 3), **sizes)
    text = hub.models.CLIPTextEncoder(vocabulary_size=len(tokens), embedding_dim=16, max_sequence_length=8, **sizes)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = hub.models.CLIPTokenizer(vocabulary=vocabulary, merges=["r e"])
    converter = hub.layers.CLIPImageConverter(image_size=(32, 32), scale=[1 / 64] * 3, offset=[-1.5] * 3)
    folder = tmp_path_factory.mktemp("clip")
    hub.models.CLIPBackbone(vision, text, projection_dim=8).save_to_preset(str(folder))
    hub.models.CLIPPreprocessor(tokenizer, converter, sequence_length=8).save_to_preset(str(folder))
    return folder


def test_similarities_are_its_own_logits_without_their_scale(preset):
    clip, words = Clip(preset), ["red", "green ball", "sea"]
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    found = compute_similarities(clip, 4, lambda number: images[number], words, batch_size=3)
    given = clip.preprocessor({"images": images[:3], "prompts": words})
    inputs = {"images": np.asarray(given["images"]), "token_ids": np.asarray(given["token_ids"])}
    logits = clip.backbone.predict(inputs, verbose=0)["vision_logits"]
    scale = np.exp(float(clip.backbone.clip_head.logit_scale))
    assert found.shape == (4, 3)
    np.testing.assert_allclose(found[:3], logits / scale, atol=1e-5)


def test_a_preset_that_names_other_classes_is_refused(preset, tmp_path):
    config = json.loads((preset / "config.json").read_text())
    config["config"]["vision_encoder"] |= {"module": "os", "class_name": "system"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="names os.system"):
        Clip(tmp_path)


def test_a_folder_without_a_preset_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no config.json"):
        Clip(tmp_path)
