"""`main.py --animate`: the moments of a map, the file they become, and where there is none."""

import numpy as np
import pytest
from PIL import Image
from planted import COLOURS, GREEN, RED, picture, planted_model
from twins import residual_model

import main
from explainers.integrated_gradients import IntegratedGradients, place_points
from network import model_files
from network.classifier import Classifier
from rise import RISE


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    Image.fromarray(picture(RED, GREEN)).resize((192, 96)).save("images/a.png")
    model_files.save_model(planted_model(), "planted.keras", {"class_names": list(COLOURS)})
    return tmp_path


def run(*flags):
    return main.main(["--model_path=planted.keras", "--test_images_folder_path=images", "--faithfulness=none", *flags])


def test_the_running_mean_over_masks_ends_at_the_map():
    explainer = RISE(Classifier(planted_model()), None, picture(RED, GREEN), RED, n_masks=60, batch_size=32)
    moments = list(explainer.compute_moments(6))
    assert [moment.label for moment in moments] == [f"{n} of 60 masks" for n in (10, 20, 30, 40, 50, 60)]
    np.testing.assert_allclose(moments[-1].saliency_map, explainer.compute_saliency_map(), rtol=1e-4, atol=1e-6)
    masks = np.concatenate(list(explainer.generate_masks()))
    scores = explainer.classifier.predict(picture(RED, GREEN) * masks[:10, ..., None])[:, RED]
    by_hand = np.tensordot(scores, masks[:10], axes=1) / (10 * 0.5)
    np.testing.assert_allclose(moments[0].saliency_map, by_hand, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(moments[0].image, picture(RED, GREEN) * masks[9, ..., None], atol=1e-3)


def test_under_a_tolerance_the_last_moment_is_the_map_of_as_many_masks_and_steps():
    classifier, image = Classifier(planted_model()), picture(RED, GREEN)
    explainer = RISE(classifier, None, image, RED, n_masks=2000, tolerance=0.02)
    saliency_map = explainer.compute_saliency_map()
    [used] = explainer.describe_maps(saliency_map[None])
    moments = list(explainer.compute_moments(7))
    assert used["masks"] < 2000 and moments[-1].label == f"{used['masks']} of {used['masks']} masks"
    np.testing.assert_allclose(moments[-1].saliency_map, saliency_map, rtol=1e-4, atol=1e-6)
    assert explainer.describe_maps(saliency_map[None]) == [used]
    classifier = Classifier(residual_model())
    image = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    explainer = IntegratedGradients(classifier, None, image, 1, n_steps=2, tolerance=1e-3)
    saliency_map = explainer.compute_saliency_map()
    assert explainer.describe_maps(saliency_map[None])[0]["steps"] > 2
    *_, last = explainer.compute_moments(5)
    np.testing.assert_allclose(last.saliency_map, saliency_map, rtol=1e-4, atol=1e-5)


def test_the_integral_grows_along_the_path_to_the_map():
    explainer = IntegratedGradients(Classifier(planted_model()), None, picture(RED, GREEN), RED, n_steps=8)
    moments = list(explainer.compute_moments(4))
    positions, weights = place_points(8)
    assert len(moments) == 4
    np.testing.assert_allclose(moments[-1].saliency_map, explainer.compute_saliency_map(), rtol=1e-5, atol=1e-6)
    # the planted network is linear where it is active: every step adds its weight
    np.testing.assert_allclose(moments[0].saliency_map, weights[0] * moments[-1].saliency_map, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(moments[0].image, positions[0] * picture(RED, GREEN), rtol=1e-5)


def test_each_map_that_is_drawn_has_its_gif_which_is_not_made_again(work):
    flags = "--explanation_method=RISE,GRADCAM,INTEGRATED_GRADIENTS", "--rise_n_masks=40", "--animate"
    flags += ("--integrated_gradients_n_steps=5",)
    assert run(*flags) == 0
    folder = work / "results" / "figures" / "animations"
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*"))
    assert paths == ["INTEGRATED_GRADIENTS/a.gif", "RISE/a.gif"]
    film = Image.open(folder / "RISE" / "a.gif")
    assert film.n_frames == 40 and film.width > 2 * film.height, "a wide image stays wide"
    written = (folder / "RISE" / "a.gif").stat().st_mtime_ns
    assert run(*flags) == 0
    assert (folder / "RISE" / "a.gif").stat().st_mtime_ns == written
    assert run("--overwrite") == 0
    assert not list(folder.glob("*/*"))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--explanation_method=GRADCAM"], "--animate is for RISE and INTEGRATED_GRADIENTS; chosen: GRADCAM"),
        (["--explanation_method=RISE", "--figures=none"], "--animate has no effect where --figures=none"),
    ],
)
def test_it_is_refused_where_it_has_no_effect(work, capsys, flags, words):
    assert run("--animate", *flags) == 2
    assert words in capsys.readouterr().err
