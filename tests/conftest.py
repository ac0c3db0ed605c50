"""The fixtures of all tests, and what keeps them quiet; the models and images behind them stand in planted.py."""

import logging
import sys

import numpy as np
import pytest
from inat_loc_files import write_inat_loc
from PIL import Image
from planted import (
    BLUE,
    COLOURS,
    DATA,
    GREEN,
    RED,
    head,
    noise,
    picture,
    planted_model,
    residual_backbone,
    residual_network,
)

import utils

utils.load_tensorflow()


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("data") and not DATA.is_dir():
            item.add_marker(pytest.mark.skip(reason="the real data is not here"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Weights that a test draws are the same in whatever order, and beside whatever others, it runs."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _quiet_tensorflow():
    """Many small classifiers are traced on purpose; TensorFlow would call it too many."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@pytest.fixture(scope="session")
def planted():
    """The planted Keras model."""
    return planted_model()


@pytest.fixture(scope="session")
def planted_classifier(planted):
    from network.classifier import Classifier

    return Classifier(planted, class_names=COLOURS, batch_size=64)


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """The planted classifier as `train.py` would leave it."""
    from network import model_files

    settings = {"class_names": list(COLOURS), "preprocessing": "none", "input_size": [96, 96]}
    return model_files.save_model(planted_model(), tmp_path_factory.mktemp("model") / "planted.keras", settings)


@pytest.fixture(scope="session")
def image():
    """A red and a green square on grey, uint8 (H, W, 3)."""
    return picture(RED, GREEN)


@pytest.fixture(scope="session")
def images():
    """Three images (3, H, W, 3) with other squares each; the second holds the red and the green one."""
    return np.stack([picture(RED, seed=1), picture(RED, GREEN), picture(GREEN, BLUE, seed=2)])


@pytest.fixture(scope="session")
def residual_classifier():
    """Less linear than the planted one, whose gradients do not notice a little noise on the image; 32 x 32 pixels."""
    from network.classifier import Classifier

    return Classifier(residual_network())


@pytest.fixture
def counted(monkeypatch):
    """The names of the classes of Grad-CAM, RISE and LIME, once for each image that they have explained; none of them
    is warmed up, whose map is thrown away."""
    from gradcam import GradCAM
    from lime_explainer import LimeExplainer
    from pipeline.explain import Runner
    from rise import RISE

    explained = []
    for explainer in (GradCAM, RISE, LimeExplainer):

        def compute(self, original=explainer.compute_saliency_map):
            explained.extend([type(self).__name__] * len(self.images))
            return original(self)

        monkeypatch.setattr(explainer, "compute_saliency_map", compute)
    monkeypatch.setattr(Runner, "warm_up", lambda *args: None)
    return explained


@pytest.fixture
def calls(monkeypatch):
    """`calls(classifier, function)` puts `function` in the place of its `predict`; returns the list of batch sizes."""

    def replace(classifier, function):
        sizes = []

        def predict(images):
            sizes.append(len(images))
            return function(images)

        monkeypatch.setattr(classifier, "predict", predict)
        return sizes

    return replace


@pytest.fixture
def inat_loc(tmp_path):
    """A folder laid out as iNatLoc500, of three species."""
    return write_inat_loc(tmp_path)


@pytest.fixture
def class_folders(tmp_path, monkeypatch):
    """The working folder, with class folders in train/ and val/: red squares on noise, and green ones."""
    monkeypatch.chdir(tmp_path)
    for split, n in (("train", 6), ("val", 4)):
        for channel, name in enumerate(("red", "green")):
            (tmp_path / split / name).mkdir(parents=True)
            for number in range(n):
                pixels = noise(1, 40, seed=100 * n + 10 * channel + number)[0]
                pixels[8:28, 10:30, channel] = 255
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / split / name / f"{number}.png")
    return tmp_path


@pytest.fixture
def five_class_model(tmp_path):
    """The path of a saved model of five classes: residual backbone, pooling, softmax; 'tf' kept as preprocessing."""
    import keras

    from network.model_files import save_model

    backbone = residual_backbone()
    model = keras.Model(backbone.input, head(n_classes=5)(backbone.output))
    return save_model(model, tmp_path / "whole.keras", {"preprocessing": "tf", "model_name": None})


@pytest.fixture
def write_taxonomy(tmp_path):
    """`write_taxonomy(text)` -> the path of a taxonomy file that holds it."""

    def write(text):
        path = tmp_path / "animals.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write
