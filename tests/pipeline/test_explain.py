"""From samples to records: the class that is asked about, the judges, and failures that cost one image alone."""

import io
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, COLOURS, GREEN, RED, picture, square

import evaluate
import utils
from data import dataset
from data.dataset import Sample
from explainers.base import Explainer
from explainers.registry import METHODS
from metrics import catalogue
from network.classifier import Classifier
from output.progress import Progress
from pipeline.explain import Runner
from pipeline.gaze_truth import GazeTruth
from pipeline.results import Results
from pipeline.score import Scorer

WARM_UP = 1  # images of what a method is begun with, once


class Stub:
    """Stands for a `registry.Method`; its maps are a square that is brightest where the image is red."""

    name, options = "STUB", ()

    def __init__(self, perturbs=False, refuses=()):
        self.groups = groups = []

        class StubExplainer(Explainer):
            def explain_batch(self, images, class_index):
                groups.append(len(images))
                if any(abs(image.mean() - mean) < 1e-3 for image in images for mean in refuses):
                    raise ValueError("no")
                return [image[..., 0] for image in images]

            def compute_pictures(self):
                return [{"superpixels": np.zeros((4, 4, 3), np.uint8)} for _ in self.images]

        StubExplainer.perturbs = perturbs
        self.load = lambda: StubExplainer


@pytest.fixture
def samples(tmp_path):
    """Five images of other sizes than the model's, labelled by the folder, each with a density map."""
    for number, colour in enumerate((RED, GREEN, BLUE, RED, GREEN)):
        name = f"{COLOURS[colour]}/{number}.png"
        gaze = np.where(square(colour), 255, 0).astype(np.uint8)
        for folder, pixels in (("images", picture(colour, seed=number)), ("gaze", gaze)):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).resize((120 + number, 60)).save(path)
    return dataset.load_dataset(tmp_path / "images", tmp_path / "gaze", class_names=COLOURS)


def quiet(counts):
    """A progress that shows nothing."""
    return Progress(counts, io.StringIO())


@pytest.fixture
def examine(planted_classifier, tmp_path):
    """`examine(samples, method)` -> the results."""

    def run(samples, method, classifier=planted_classifier, class_rule="auto", faithfulness=("curves",), **options):
        results = Results(tmp_path / "results", {"methods": {}}, {})
        scorer = Scorer(classifier, GazeTruth(samples), faithfulness=faithfulness, **options)
        Runner(classifier, results, scorer, class_rule=class_rule, open_progress=quiet).run(samples, {method: {}})
        return results

    return run


# --- what is recorded --------------------------------------------------------------------------------------
def test_a_record_says_what_was_asked_and_what_the_network_says(examine, samples, planted_classifier):
    records = examine(samples, Stub(), class_rule="green").records
    record = records["STUB", "red/0.png"]
    pixels = utils.resize_image(samples[-2].read().astype(np.float32), 96, 96)
    probabilities = planted_classifier.predict(pixels[None])[0]
    assert (record.label, record.predicted, record.class_name, record.class_index) == ("red", "red", "green", GREEN)
    assert record.probability == pytest.approx(probabilities[RED], rel=1e-5)
    assert [name for name, _ in record.top_classes] == [COLOURS[index] for index in np.argsort(-probabilities)]
    assert [share for _, share in record.top_classes] == pytest.approx(sorted(probabilities)[::-1], abs=1e-6)
    assert record.status == "ok" and record.undefined == {}
    assert all(record.seconds > 0 for record in records.values()) and len(records) == 5


@pytest.mark.parametrize(
    "protocol, n_pixels, kernel, colour",
    [("rise", 96, (11, 5.0), (10.0, 200.0, 90.0)), ("black", 96, (11, 5.0), None), ("lab", 500, (127, 0.0), None)],
)
def test_insertion_and_deletion_are_those_of_the_protocol_at_the_input_size(
    examine, samples, planted_classifier, protocol, n_pixels, kernel, colour, monkeypatch
):
    monkeypatch.setattr(planted_classifier, "mean_colour", (10.0, 200.0, 90.0))
    results = examine(samples[:1], Stub(), protocol=protocol)
    [record] = results.records.values()
    pixels = utils.resize_image(samples[0].read().astype(np.float32), 96, 96)
    asked = planted_classifier.predict, pixels, results.read_map(record), record.class_index
    inserted, scores, fractions = evaluate.insertion(
        *asked, n_pixels=n_pixels, kernel_size=kernel[0], sigma=kernel[1], mean_colour=colour
    )
    deleted, deletion_scores, _ = evaluate.deletion(*asked, n_pixels=n_pixels, mean_colour=colour)
    assert record.insertion_auc == pytest.approx(inserted, rel=1e-6)
    assert record.deletion_auc == pytest.approx(deleted, rel=1e-6)
    curves = results.read_curves(record)
    np.testing.assert_allclose(curves, [fractions, scores, deletion_scores], rtol=1e-5, atol=1e-9)


def test_likeness_is_measured_at_the_images_own_size(examine, samples):
    results = examine(samples, Stub())
    for sample in samples:
        record = results.records["STUB", sample.name]
        height, width = sample.read().shape[:2]
        density_map = dataset.load_density_map(sample, height, width)
        own_size = utils.resize_map(results.read_map(record), height, width)
        for metric in catalogue.names_against(catalogue.DENSITY):
            assert getattr(record, metric) == getattr(evaluate, f"calculate_{metric}")(density_map, own_size)


def test_without_a_density_map_there_is_no_likeness_and_no_complaint(examine, samples):
    [record] = examine([replace(samples[0], density_map_path=None)], Stub()).records.values()
    assert record.pcc is None and record.undefined == {} and not record.needs_attention


def test_an_undefined_metric_says_why(examine, samples, tmp_path):
    Image.new("L", (120, 60), 7).save(tmp_path / "flat.png")
    [record] = examine([replace(samples[-2], density_map_path=tmp_path / "flat.png")], Stub()).records.values()
    assert record.pcc is None and record.undefined["pcc"] == "ground_truth is constant"
    assert set(record.undefined) == set(catalogue.names_against(catalogue.DENSITY)) and record.insertion_auc is not None


def test_a_constant_map_is_called_so(examine, samples, tmp_path):
    Image.new("RGB", (50, 50), (9, 9, 9)).save(tmp_path / "grey.png")
    sample = Sample("grey.png", "grey", tmp_path / "grey.png", density_map_path=samples[0].density_map_path)
    Image.new("L", (60, 60), 7).save(tmp_path / "flat.png")
    [record] = examine([replace(sample, density_map_path=tmp_path / "flat.png")], Stub()).records.values()
    assert record.status == "constant map" and not record.failed and record.undefined["pcc"]


def test_a_map_that_varies_by_rounding_alone_is_called_constant_too(examine, samples, monkeypatch):
    def explain_batch(self, images, class_index):
        maps = np.full(images.shape[:3], np.float32(0.7))
        maps[:, 1, 2] = np.nextafter(np.float32(0.7), np.float32(1))
        return list(maps)

    stub = Stub()
    monkeypatch.setattr(stub.load(), "explain_batch", explain_batch)
    [record] = examine(samples[:1], stub).records.values()
    assert record.status == "constant map"
    assert record.undefined["pcc"] == record.undefined["insertion_auc"] == "saliency_map is constant"


def test_a_density_map_of_another_shape_is_a_failure_of_that_image_but_its_map_stays(examine, samples, tmp_path):
    Image.new("L", (60, 120), 7).save(tmp_path / "turned.png")
    results = examine([replace(samples[0], density_map_path=tmp_path / "turned.png")], Stub())
    [record] = results.list_troubled()
    assert "not the same shape" in record.undefined["density_map"] and not record.failed
    assert results.find("STUB", samples[0]) and record.insertion_auc is not None


# --- groups and failures -----------------------------------------------------------------------------------
def test_cheap_methods_explain_several_images_at_once_and_costly_ones_one_by_one(examine, samples):
    cheap, costly = Stub(), Stub(perturbs=True)
    costly.name = "COSTLY"
    examine(samples, cheap)
    examine(samples, costly)
    assert cheap.groups == [WARM_UP, 5] and costly.groups == [WARM_UP] + [1] * 5


def test_seconds_are_those_of_maps_and_not_of_what_the_first_call_does_once(examine, samples):
    slow, calls = Stub(perturbs=True), []

    class Slow(slow.load()):
        def explain_batch(self, images, class_index):
            calls.append(len(images))
            time.sleep(0.3 if len(calls) == 1 else 0.01)  # as a graph that is traced
            for done in range(1, 4):
                self.report(done, 3)
                calls.append("passes")
            return super().explain_batch(images, class_index)

    slow.load = lambda: Slow
    results = examine(samples[:2], slow)
    assert all(0.01 <= record.seconds < 0.15 for record in results.records.values())
    assert calls == [1] + [1, *["passes"] * 3] * 2, "the warm-up ends with its first passes"


def test_passes_of_the_warm_up_are_not_counted(examine, samples, planted_classifier):
    results = examine(samples[:1], METHODS["GRADCAM"])
    assert [record.passes for record in results.records.values()] == [1.0]


@pytest.mark.parametrize("name", ["GRADCAM", "LAYERCAM", "GUIDED_GRADCAM", "FEM", "CAM"])
@pytest.mark.parametrize("class_rule", ["auto", "predicted", "green"])
def test_the_pass_that_a_method_begins_with_tells_what_the_network_says(
    examine, samples, planted_classifier, name, class_rule
):
    """One pass over each image: features, gradients and probabilities, each bit as if it were asked for alone."""
    method, before = METHODS[name], planted_classifier.counts["passes"]
    results = examine(samples, method, class_rule=class_rule, faithfulness=())
    of_warm_up = 2 * WARM_UP
    of_pixels = (len(samples) + WARM_UP) * (name == "GUIDED_GRADCAM")  # guided backpropagation's
    assert planted_classifier.counts["passes"] - before == len(samples) + of_warm_up + of_pixels
    pixels = np.stack([utils.resize_image(sample.read().astype(np.float32), 96, 96) for sample in samples])
    probabilities = planted_classifier.predict(pixels)
    records = [results.find(name, sample) for sample in samples]
    assert [record.probability for record in records] == probabilities.max(axis=1).tolist()
    alone = method.load()(planted_classifier, None, pixels, [record.class_index for record in records])
    np.testing.assert_array_equal([results.read_map(record) for record in records], alone.compute_saliency_map())
    assert {record.passes for record in records} == {1 if of_pixels == 0 else 2}


def test_an_image_whose_class_is_unknown_is_left_out_of_the_pass(examine, samples, planted_classifier):
    samples[1] = replace(samples[1], label="dog", class_index=None)
    before = planted_classifier.counts["passes"]
    results = examine(samples, METHODS["GRADCAM"], class_rule="label", faithfulness=())
    assert planted_classifier.counts["passes"] - before == len(samples) - 1 + 2 * WARM_UP
    assert "no class 'dog'" in results.records["GRADCAM", samples[1].name].status


def test_an_image_that_cannot_be_explained_costs_itself_alone(examine, samples, planted_classifier):
    pixels = utils.resize_image(samples[1].read().astype(np.float32), 96, 96)
    results = examine(samples, Stub(refuses=[pixels.mean()]))
    assert [r.status for r in results.records.values() if r.failed] == ["failed: no"]
    assert [r.image for r in results.list_troubled()] == [samples[1].name]
    assert sum(results.find("STUB", sample) is not None for sample in samples) == 4
    assert sum(record.insertion_auc is not None for record in results.records.values()) == 4


def test_an_image_that_cannot_be_read_costs_itself_alone(examine, samples):
    samples[2].path.write_bytes(samples[2].path.read_bytes()[:100])
    results = examine(samples, Stub())
    failed = results.records["STUB", samples[2].name]
    assert failed.status.startswith("failed: cannot read") and failed.label == samples[2].label
    assert sum(record.status == "ok" for record in results.records.values()) == 4


def test_an_image_for_which_the_model_gives_nan_costs_itself_alone(examine, samples, planted):
    pixels = utils.resize_image(samples[0].read().astype(np.float32), 96, 96)
    classifier = Classifier(planted, class_names=COLOURS)
    predict = classifier.predict

    def sometimes_nan(images):
        probabilities = predict(images)
        probabilities[[np.array_equal(image, pixels) for image in images]] = np.nan
        return probabilities

    classifier.predict = sometimes_nan
    results = examine(samples, Stub(), classifier)
    assert "NaN" in results.records["STUB", samples[0].name].status
    assert sum(record.status == "ok" for record in results.records.values()) == 4


def test_what_is_there_stays_and_shares_the_batch_of_what_is_new(examine, samples):
    """So that a run which was stopped rounds as one that was not."""
    examine(samples[:3], Stub())
    before = [replace(record) for record in examine(samples[:3], Stub()).records.values()]  # as they are read again
    again = Stub()
    results = examine(samples, again)
    assert again.groups == [WARM_UP, 5] and len(results.records) == 5
    assert list(results.records.values())[:3] == before
    assert [record.image for record in results.records.values()] == [sample.name for sample in samples]


def test_a_map_that_is_there_is_only_judged_when_more_judges_are_asked(examine, samples):
    examine(samples[:3], Stub(), faithfulness=())
    again = Stub()
    results = examine(samples[:3], again)
    assert again.groups == [], "nothing is explained again"
    assert all(record.insertion_auc is not None and record.pcc is not None for record in results.records.values())
    plain = {name: replace(record) for name, record in results.records.items()}
    assert examine(samples[:3], again).records == plain, "what is settled is not judged again"


def test_further_pictures_are_kept(examine, samples):
    results = examine(samples[:1], Stub())
    [record] = results.records.values()
    assert not np.asarray(Image.open(results.picture_path(record, "superpixels"))).any(), "the stub's is black"
