"""One map before its judges: which metrics it is asked for, who answers them, and why some have no value."""

import numpy as np
import pytest
from PIL import Image
from planted import RED, SIDE, picture, square

import evaluate
from data.dataset import Sample
from data.fixations import Fixations
from metrics import catalogue
from metrics.catalogue import DENSITY, NETWORK, POINTS
from pipeline.gaze_truth import GazeTruth
from pipeline.prepare import PreparedImage
from pipeline.records import Record
from pipeline.score import Scorer

CENTRE_OF_RED = np.argwhere(square(RED)).mean(axis=0)[::-1] + 0.5


def fixations_on(points, n_observers=3):
    points = np.array(points, dtype=np.float64).reshape(-1, 2)
    return Fixations(points, np.arange(len(points)) % n_observers, None, n_observers, observers_known=True)


@pytest.fixture
def subject(tmp_path, planted_classifier):
    """`subject(name, ...)`: a picture with a red square, and what is known of its gaze."""

    def make(name="a", **known):
        pixels = picture(RED)
        path = tmp_path / f"{name}.png"
        Image.fromarray(pixels).save(path)
        sample = Sample(path.name, name, path, **known)
        return PreparedImage(
            sample, pixels.shape[:2], pixels.astype(np.float32), RED, Record("GRADCAM", sample.name, name)
        )

    return make


@pytest.fixture
def density_map_path(tmp_path):
    path = tmp_path / "density.png"
    Image.fromarray(np.where(square(RED), 255, 0).astype(np.uint8)).save(path)
    return path


def never(images):
    raise AssertionError("nothing is to be explained")


RED_MAP = square(RED).astype(np.float32)
AROUND_RED = [CENTRE_OF_RED + np.array(step) for step in ((0, 0), (3, 4), (-4, 2), (2, -5), (5, 1), (-3, -3))]


def judge_of(classifier, subjects, **options):
    return Scorer(classifier, GazeTruth([subject.sample for subject in subjects], sigma_px=8), **options)


def test_a_map_is_asked_for_what_its_image_and_the_run_allow(planted_classifier, subject, density_map_path):
    plain, with_map = subject("plain"), subject("map", density_map_path=density_map_path)
    with_points = subject("points", fixations=fixations_on(AROUND_RED))
    judge = judge_of(planted_classifier, [plain, with_map, with_points], faithfulness=("drop",))
    drop = ["average_drop", "increase"]
    assert judge.wanted(plain.sample) == drop
    assert judge.wanted(with_map.sample) == catalogue.names_against(DENSITY) + drop
    assert judge.wanted(with_points.sample) == catalogue.names_against(DENSITY) + catalogue.names_against(POINTS) + drop


def test_density_metrics_take_the_map_and_point_metrics_the_fixations(planted_classifier, subject, density_map_path):
    """The fixations lie where the density map is empty: each metric answers for its own ground truth."""
    away = [(SIDE - 8, SIDE - 9), (SIDE - 4, SIDE - 12), (SIDE - 10, SIDE - 5)]
    both = subject("both", density_map_path=density_map_path, fixations=fixations_on(away))
    other = subject("other", fixations=fixations_on(AROUND_RED))
    judge_of(planted_classifier, [both, other]).score(both, RED_MAP, both.record, never)
    assert both.record.pcc == pytest.approx(1, abs=1e-6) and both.record.sim == pytest.approx(1, abs=1e-6)
    assert both.record.nss < 0 and both.record.auc_borji < 0.5
    assert both.record.nss == pytest.approx(evaluate.calculate_nss(np.array(away, float), RED_MAP))
    assert both.record.undefined == {}


def test_the_perfect_map_passes_every_judge_and_noise_none(planted_classifier, subject):
    one, other = (subject(name, fixations=fixations_on(AROUND_RED)) for name in "ab")
    judge = judge_of(planted_classifier, [one, other], faithfulness=tuple(catalogue.FAITHFULNESS))
    curves = judge.score(one, RED_MAP, one.record, lambda images: np.repeat(RED_MAP[None], len(images), axis=0))
    assert curves.shape[1] == 3 and one.record.undefined == {}
    assert all(getattr(one.record, name) is not None for name in catalogue.METRICS)
    noise = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32)
    drawn = np.random.default_rng(1)
    judge.score(other, noise, other.record, lambda images: drawn.random((len(images), SIDE, SIDE)))
    for name in ("pcc", "sim", "nss", "auc_judd", "auc_borji", "insertion_auc", "road", "mufidelity"):
        assert getattr(one.record, name) > getattr(other.record, name) + 0.01, name
    for name in ("deletion_auc", "average_drop", "sensitivity", "mae"):
        assert getattr(one.record, name) < getattr(other.record, name) - 0.01, name
    assert one.record.sensitivity == 0


def test_what_is_settled_is_not_measured_again(planted_classifier, subject):
    one, other = (subject(name, fixations=fixations_on(AROUND_RED)) for name in "ab")
    one.record.pcc = 0.123
    one.record.undefined["sim"] = "a reason"
    judge_of(planted_classifier, [one, other]).score(one, RED_MAP, one.record, never)
    assert (one.record.pcc, one.record.sim) == (0.123, None) and one.record.nss is not None


def test_a_constant_map_has_no_value_and_every_reason(planted_classifier, subject):
    one, other = (subject(name, fixations=fixations_on(AROUND_RED)) for name in "ab")
    one.record.status = "constant map"
    judge = judge_of(planted_classifier, [one, other], faithfulness=tuple(catalogue.FAITHFULNESS))
    assert judge.score(one, np.ones((SIDE, SIDE), np.float32), one.record, never) is None
    assert set(one.record.undefined) == set(catalogue.METRICS)
    assert set(catalogue.names_against(NETWORK)) <= one.record.undefined.keys()


def test_without_fixations_inside_the_image_points_have_no_value(planted_classifier, subject, density_map_path):
    outside = subject("a", density_map_path=density_map_path, fixations=fixations_on([(-5, 3), (SIDE + 2, 9)]))
    other = subject("b", fixations=fixations_on(AROUND_RED))
    judge_of(planted_classifier, [outside, other]).score(outside, RED_MAP, outside.record, never)
    assert outside.record.pcc is not None
    assert set(catalogue.names_against(POINTS)) <= outside.record.undefined.keys()


def test_people_are_judged_by_people(planted_classifier, subject):
    """All look at the red square: a map of red squares elsewhere would not do, each other's fixations do."""
    observers = fixations_on(AROUND_RED)
    people = PreparedImage(
        *[getattr(subject("a", fixations=observers), key) for key in ("sample", "size", "pixels")],
        RED,
        Record("PEOPLE", "a.png", "a"),
    )
    others = subject("b", fixations=fixations_on([(80, 80), (10, 80), (80, 10)]))
    judge = judge_of(planted_classifier, [people, others])
    blank = np.zeros((SIDE, SIDE), np.float32)
    judge.score(people, blank, people.record, never)
    pairs = list(judge.gaze.leave_one_out(people.sample, SIDE, SIDE))
    expected = np.mean([evaluate.calculate_nss(points, density) for density, points in pairs])
    assert people.record.nss == pytest.approx(expected) and people.record.nss > 2
    halves = list(judge.gaze.halves(people.sample, SIDE, SIDE))
    assert people.record.pcc == pytest.approx(np.mean([evaluate.calculate_pcc(*pair) for pair in halves]))


def test_the_gaze_of_an_image_is_read_once_for_all_its_maps(planted_classifier, subject, density_map_path, monkeypatch):
    one = subject("a", density_map_path=density_map_path)
    judge = judge_of(planted_classifier, [one])
    read = []
    once = judge.gaze.density_map
    monkeypatch.setattr(judge.gaze, "density_map", lambda *of: read.append(of) or once(*of))
    for method in ("GRADCAM", "FEM"):
        record = Record(method, "a.png", "a")
        judge.score(one, RED_MAP, record, never)
        assert record.pcc == pytest.approx(1)
    assert len(read) == 1
