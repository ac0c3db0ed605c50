"""All metrics under one name: each name leads somewhere, nothing heavy is loaded, and each wants its own truth."""

import csv
import subprocess
import sys

import numpy as np
import pytest
from planted import DATA, ROOT

import evaluate
from data import density_maps
from metrics import baselines


def test_every_name_of_the_door_leads_to_a_judge():
    assert len(evaluate.__all__) == len(set(evaluate.__all__))
    for name in evaluate.__all__:
        assert getattr(evaluate, name) is not None
    public = {name for name in vars(evaluate) if name.startswith("calculate_")}
    assert public < set(evaluate.__all__)


def test_importing_the_judges_and_the_data_loads_nothing_heavy():
    code = (
        "import sys, evaluate, data.dataset\nprint({'tensorflow', 'cv2', 'PIL', 'scipy', 'skimage'} & {*sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.data
def test_people_predict_people_better_than_the_centre_and_the_centre_better_than_noise():
    """Half of OSIE's observers against the other half, on its first photographs."""
    fixations = {}
    with open(DATA / "osie" / "fixations.csv") as file:
        for row in csv.DictReader(file):
            observers = fixations.setdefault(row["image"], {})
            observers.setdefault(row["observer"], []).append((float(row["x_px"]), float(row["y_px"])))
    height, width = 600, 800
    images = sorted(fixations)
    elsewhere = np.concatenate([points for name in images[-10:] for points in fixations[name].values()])
    for name in images[:3]:
        halves = [list(fixations[name].values())[start::2] for start in (0, 1)]
        people = density_maps.compute_density_map([np.array(points) for points in halves[0]], height, width, sigma=48)
        truth = np.concatenate(halves[1])
        prior, noise = baselines.centre_gaussian(height, width), baselines.random_map(height, width)
        for metric in ("nss", "auc_judd", "auc_borji"):
            calculate = getattr(evaluate, f"calculate_{metric}")
            scores = [calculate(truth, one) for one in (people, prior, noise)]
            assert scores == sorted(scores, reverse=True), (metric, scores)
        assert evaluate.calculate_sauc(truth, people, elsewhere) > 0.65
        assert evaluate.calculate_information_gain(truth, people, prior) > 0
