"""The report on attention: what is measured on masks of parts, and what is shown."""

import csv

import numpy as np
import pytest
from PIL import Image
from planted import COLOURS, GREEN, RED, SIDE, picture, square
from twins import planted_bags

from network.classifier import Classifier
from scenes import demo_data
from training import attention_report


@pytest.fixture(scope="module")
def classifier():
    return Classifier(planted_bags(), class_names=COLOURS)


@pytest.fixture
def images(tmp_path):
    """Class folders of a red and a green square, the part of each; the red one's mask is right, the green's is not."""
    for name, colour, part in (("red", RED, square(RED)), ("green", GREEN, ~square(GREEN))):
        for folder, pixels in ((f"images_val/{name}", picture(colour)), (f"part_masks/{name}/{name}", part)):
            (tmp_path / folder).mkdir(parents=True)
            Image.fromarray(pixels if pixels.ndim == 3 else 255 * pixels.astype(np.uint8)).save(
                tmp_path / folder / "1.png"
            )
    return tmp_path / "images_val"


def test_the_energy_in_the_parts_is_compared_with_their_area(classifier, images, tmp_path):
    (tmp_path / "README.txt").write_text(demo_data.README.format(seed=0))
    paths, words = attention_report.write_attention_report(classifier, images, tmp_path / "out")
    assert [path.name for path in paths] == ["attention.png", "part_energy.csv"]
    with open(paths[1], newline="", encoding="utf-8") as file:
        rows = {(row["image"], row["method"]): row for row in csv.DictReader(file)}
    assert len(rows) == 4
    for method in attention_report.COMPARED:
        right, wrong = rows["red/1.png", method], rows["green/1.png", method]
        assert float(right["area"]) == pytest.approx(square(RED).mean(), abs=1e-6)
        assert float(right["energy"]) > 0.7  # Grad-CAM's cells reach half their width beyond it
        assert float(right["ratio"]) == pytest.approx(float(right["energy"]) / float(right["area"]), rel=1e-4)
        assert float(wrong["ratio"]) < 0.5
        mean = (float(right["ratio"]) + float(wrong["ratio"])) / 2
        assert f"{method} {mean:.2f} times (2 images)" in words


def test_photographs_are_shown_and_not_measured(classifier, images, tmp_path):
    paths, words = attention_report.write_attention_report(classifier, images, tmp_path / "out")
    assert [path.name for path in paths] == ["attention.png"]
    assert words == ""
    assert Image.open(paths[0]).size[0] > 300


def test_both_maps_of_an_image_are_of_its_class(classifier, images):
    from data.dataset import load_dataset

    green, red = load_dataset(images, class_names=COLOURS)
    explained = attention_report.explain(classifier, red)
    assert list(explained) == ["ATTENTION", "GRADCAM"]
    assert [row.label for row in explained.values()] == ["red", "red"]
    assert [row.target for row in explained.values()] == ["", "red"]  # attention is of no class
    for row in explained.values():
        assert row.saliency_map.shape == (SIDE, SIDE)
        assert row.saliency_map[square(RED)].mean() > 5 * row.saliency_map[~square(RED)].mean()
    (images / "green" / "1.png").write_bytes(b"no image")
    assert attention_report.explain(classifier, green) is None
