"""A photograph and what is asked about it: the maps of the explainers, nothing computed twice, files."""

import numpy as np
import pytest
from PIL import Image
from planted import GREEN, RED, SIDE, square

from explainers.registry import METHODS
from gradcam import GradCAM
from output.progress import Stopped
from pipeline.run_figures import Style
from rise import RISE
from webpage.case import Case
from webpage.work import Watch

GRADCAM, FEM, RISE_, LIME = (METHODS[name] for name in ("GRADCAM", "FEM", "RISE", "LIME"))
OPTIONS = {"n_masks": 60, "mask_size": 4, "threshold": 0.5, "variant": "paper"}


def ask(case, classes, chosen, seed=0):
    question = case.ask(classes, chosen, seed)
    case.answer(question, Watch(question.counts))
    return question


def test_the_most_probable_classes_come_first(case, planted_classifier, image):
    probabilities = planted_classifier.predict(image[None].astype(np.float32))[0]
    assert list(case.top_classes) == list(np.argsort(-probabilities, kind="stable"))
    assert list(case.top_classes.values()) == pytest.approx(sorted(probabilities, reverse=True))


def test_maps_are_those_of_the_explainers(case, planted_classifier, image):
    ask(case, [RED, GREEN], {GRADCAM: {"variant": "paper"}, RISE_: OPTIONS}, seed=5)
    for class_index in (RED, GREEN):
        expected = {
            "GRADCAM": GradCAM(planted_classifier, None, image, class_index).compute_saliency_map(),
            "RISE": RISE(planted_classifier, None, image, class_index, seed=5, **OPTIONS).compute_saliency_map(),
        }
        for name, saliency_map in expected.items():
            assert np.array_equal(case.answers[class_index].maps[name], saliency_map)
    assert case.answers[GREEN].maps["GRADCAM"][square(GREEN)].mean() > 0
    assert case.answers[GREEN].maps["GRADCAM"][square(RED)].mean() == 0


def test_what_was_asked_before_is_not_computed_again_until_an_option_or_the_seed_changes(case):
    assert ask(case, [RED], {RISE_: OPTIONS}).counts == {"RISE": 1}
    first = case.answers[RED].maps["RISE"]
    assert case.ask([RED], {RISE_: OPTIONS}, 0).asked == {}
    both = {RISE_: OPTIONS, GRADCAM: {"variant": "paper"}}
    assert case.ask([RED, GREEN], both, 0).counts == {"RISE": 1, "GRADCAM": 2}
    assert ask(case, [RED], {RISE_: OPTIONS}, seed=1).counts == {"RISE": 1}
    assert not np.array_equal(case.answers[RED].maps["RISE"], first)
    assert ask(case, [RED], {RISE_: {**OPTIONS, "n_masks": 61}}, seed=1).counts == {"RISE": 1}


def test_a_method_without_classes_has_one_map_for_two(case):
    ask(case, [GREEN, RED], {FEM: {"k": 2.0}, GRADCAM: {"variant": "paper"}})
    assert list(case.shown) == [(GREEN, "FEM"), (GREEN, "GRADCAM"), (RED, "GRADCAM")]


def test_stopping_keeps_what_was_finished_and_the_rest_can_be_asked_again(case):
    question = case.ask([RED], {GRADCAM: {"variant": "paper"}, RISE_: OPTIONS}, 0)

    class Impatient(Watch):
        def within(self, done, total):
            self.stopped.set()
            super().within(done, total)

    with pytest.raises(Stopped):
        case.answer(question, Impatient(question.counts))
    assert [record.method for _, record in case.records()] == ["GRADCAM"]
    assert case.ask_again().counts == {"RISE": 1}


def test_curves_are_measured_when_they_are_asked_for_and_once(case):
    ask(case, [RED], {GRADCAM: {"variant": "paper"}})
    ((_, record),) = case.records()
    assert record.insertion_auc is None
    question = case.ask_again(("curves",))
    before = case.answers[RED].maps["GRADCAM"]
    case.answer(question, Watch(question.counts))
    ((_, record),) = case.records()
    assert record.insertion_auc > record.deletion_auc
    assert case.answers[RED].maps["GRADCAM"] is before
    fractions, inserted, deleted = case.answers[RED].read_curves(record)
    assert len(fractions) == len(inserted) == len(deleted) == SIDE + 1
    assert case.ask_again(("curves",)).asked == {}


def test_gaze_is_compared_with_what_is_there_and_forgotten_with_its_file(case, tmp_path):
    ask(case, [RED], {GRADCAM: {"variant": "paper"}})
    saliency_map, gaze = case.answers[RED].maps["GRADCAM"], tmp_path / "gaze.png"
    Image.fromarray(np.rint(255 * saliency_map / saliency_map.max()).astype(np.uint8)).save(gaze)
    case.compare_with(gaze)
    question = case.ask_again()
    case.answer(question, Watch(question.counts))
    ((_, record),) = case.records()
    assert record.pcc > 0.999 and record.sim > 0.99
    case.compare_with(None)
    ((_, record),) = case.records()
    assert record.pcc is None and case.ask_again().asked == {}


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda path: Image.new("L", (30, 90)).save(path), "not the same shape"),
        (lambda path: path.write_text("no image"), "cannot read 'gaze.png': not an image"),
    ],
)
def test_a_density_map_that_cannot_be_used_is_refused_without_its_folder(case, tmp_path, make, message):
    make(tmp_path / "gaze.png")
    with pytest.raises(ValueError, match=message) as refused:
        case.compare_with(tmp_path / "gaze.png")
    assert str(tmp_path) not in str(refused.value) and case.density_map_path is None


def test_a_photograph_that_cannot_be_read_is_refused_without_its_folder(planted_classifier, tmp_path):
    path = tmp_path / "huge.png"
    Image.new("1", (10_000, 10_000)).save(path)
    with pytest.raises(ValueError, match="'huge.png': more than the 50000000 pixels") as refused:
        Case(path, planted_classifier, tmp_path)
    assert str(tmp_path) not in str(refused.value)


def test_files_are_the_raw_maps_and_the_figures(case, photograph):
    ask(case, [RED, GREEN], {GRADCAM: {"variant": "paper"}})
    photograph.unlink()  # an upload may be gone by then
    paths = case.write_files(Style())
    names = [f"GRADCAM_{index}_a photograph{ending}" for index in (RED, GREEN) for ending in (".npy", ".png")]
    assert [path.name for path in paths] == names
    assert np.array_equal(np.load(paths[2]), case.answers[GREEN].maps["GRADCAM"])
    assert Image.open(paths[3]).size[0] > 500
