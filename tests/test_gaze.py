"""Wooding's density map: its geometry and its sum, against numbers worked by hand and naive loops; the script."""

import csv

import numpy as np
import pytest
from PIL import Image
from planted import DATA

import gaze
import utils
from data import dataset
from data.fixations import Fixations, read_fixations


def naive_density_map(fixations_by_observer, height, width, sigma):
    """The formula, pixel by pixel and fixation by fixation."""
    density_map = np.zeros((height, width))
    for fixations in fixations_by_observer:
        for x, y in fixations:
            for row in range(height):
                for column in range(width):
                    squared_distance = (column - x) ** 2 + (row - y) ** 2
                    density_map[row, column] += np.exp(-squared_distance / (2 * sigma**2))
    density_map /= len(fixations_by_observer)
    return density_map / density_map.max()


def test_sigma_is_116_pixels_on_the_screen_itself():
    # 1200 / 325 px per mm times 900 mm times tan 2 degrees
    assert gaze.compute_sigma(1200, 1920) == pytest.approx(116.04, abs=0.01)


def test_sigma_shrinks_with_the_image_by_the_side_that_fills_the_screen_first():
    on_screen = gaze.compute_sigma(1200, 1920)
    assert gaze.compute_sigma(240, 320) == pytest.approx(on_screen / 5)  # min(1920 / 320, 1200 / 240)
    assert gaze.compute_sigma(100, 960) == pytest.approx(on_screen / 2)  # min(1920 / 960, 1200 / 100)


def test_density_map_is_the_naive_sum():
    rng = np.random.default_rng(1)
    fixations = [rng.uniform(0, (31, 23), (m, 2)) for m in (3, 0, 5)]
    density_map = gaze.compute_density_map(fixations, 23, 31, sigma=2.7)
    assert density_map.dtype == np.float32
    np.testing.assert_allclose(density_map, naive_density_map(fixations, 23, 31, 2.7), atol=1e-3)


def test_a_fixation_is_x_then_y():
    density_map = gaze.compute_density_map([np.array([[30.0, 5.0]])], 20, 40, sigma=2)
    assert np.unravel_index(density_map.argmax(), density_map.shape) == (5, 30)
    assert density_map.max() == 1


def test_one_sigma_away_the_density_is_exp_minus_a_half():
    density_map = gaze.compute_density_map([np.array([[10.0, 10.0]])], 21, 21, sigma=4)
    assert density_map[10, 14] == pytest.approx(np.exp(-0.5), rel=1e-5)


def test_fixations_outside_the_image_leave_no_trace():
    inside = np.array([[4.0, 6.0]])
    beside = np.array([[-1.0, 6.0], [12.5, 3.0], [4.0, 40.0]])
    with_strays = gaze.compute_density_map([np.concatenate([inside, beside])], 10, 12, sigma=3)
    np.testing.assert_array_equal(with_strays, gaze.compute_density_map([inside], 10, 12, sigma=3))


@pytest.mark.parametrize("fixations", [[], [np.empty((0, 2))], [np.array([[50.0, 50.0]])]])
def test_without_a_fixation_inside_there_is_no_map(fixations):
    with pytest.raises(ValueError, match="no fixation"):
        gaze.compute_density_map(fixations, 10, 10, sigma=2)


def test_impossible_geometry_is_refused():
    with pytest.raises(ValueError, match="positive"):
        gaze.compute_sigma(0, 320)
    with pytest.raises(ValueError, match="sigma"):
        gaze.compute_density_map([np.array([[1.0, 1.0]])], 5, 5, sigma=0)


def test_the_screens_geometry_is_a_choice():
    # 1000 / 250 px per mm times 500 mm times tan 45 degrees, on an image of half the screen's width
    screen = {"screen_width_px": 2000, "screen_height_px": 1000, "screen_height_mm": 250}
    assert gaze.compute_sigma(100, 1000, **screen, distance_mm=500, angle_deg=45) == pytest.approx(1000)


# --- several observers ---------------------------------------------------------------------------------------
def random_fixations(*counts, seed=0, height=23, width=31):
    rng = np.random.default_rng(seed)
    points = rng.uniform((-3, -3), (width + 3, height + 3), (sum(counts), 2))
    return Fixations(points, np.repeat(np.arange(len(counts)), counts), None, len(counts))


def test_the_density_map_is_the_mean_of_the_observers_maps_before_it_is_scaled():
    fixations = random_fixations(4, 0, 9, 1).inside(23, 31)
    mean = np.mean([gaze.sum_gaussians(points, 23, 31, 2.7) for points in fixations.by_observer()], axis=0)
    density_map = gaze.compute_density_map(fixations.by_observer(), 23, 31, sigma=2.7)
    np.testing.assert_allclose(density_map, mean / mean.max(), atol=1e-6)


def test_leave_one_out_is_the_map_of_each_observers_others_and_his_own_points():
    fixations = random_fixations(5, 0, 7, 1, 6)
    assert fixations.inside(23, 31).n_blank == 1
    observers = [points for points in fixations.inside(23, 31).by_observer() if len(points)]
    found = list(gaze.leave_one_out(fixations, 23, 31, 2.7))
    assert len(found) == len(observers) == 4
    for left_out, (density_map, points) in enumerate(found):
        others = [points for observer, points in enumerate(observers) if observer != left_out]
        np.testing.assert_allclose(density_map, naive_density_map(others, 23, 31, 2.7), rtol=1e-4, atol=1e-12)
        np.testing.assert_array_equal(points, observers[left_out])
        assert density_map.dtype == np.float32


def test_where_only_the_one_left_out_looked_the_others_leave_next_to_nothing():
    fixations = Fixations(np.array([[5.0, 5], [90, 5]]), np.array([0, 1]), None, 2)
    density_map, _ = next(gaze.leave_one_out(fixations, 10, 100, 2))
    assert density_map[5, 90] == 1
    assert 0 <= density_map[5, 5] < 1e-15


@pytest.mark.parametrize("counts", [(), (5,), (5, 0)])
def test_one_observer_alone_cannot_be_left_out(counts):
    assert list(gaze.leave_one_out(random_fixations(*counts), 23, 31, 2)) == []


# --- the script ----------------------------------------------------------------------------------------------
def test_the_embedded_data_gives_its_official_maps_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gaze.main(["--limit=3"]) == 0
    printed = capsys.readouterr().out
    assert "3 images; simulated gaze" in printed and "against 3 official maps" in printed
    with open("gaze_results/gaze.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    for row in rows:
        assert float(row["pcc"]) > 0.9999 and float(row["ssim"]) > 0.99 and float(row["mae"]) < 0.01
        assert (row["observers"], row["outside"], row["status"]) == ("12", "0", "ok")
    samples = dataset.load_dataset("demo_data/images_val", "gaze_results/density_maps")
    samples = [sample for sample in samples if sample.density_map_path is not None]  # more have been drawn
    assert len(samples) == 3
    for sample in samples:  # the folder is one of official maps to every other script
        official = f"demo_data/gazefixationsdensitymaps/{sample.density_map_path.name}"
        ours, theirs = (np.asarray(Image.open(path), dtype=int) for path in (sample.density_map_path, official))
        assert abs(ours - theirs).max() <= 2
    assert sorted(path.name for path in (tmp_path / "gaze_results").iterdir() if path.name[0] != ".") == [
        "density_maps",
        "gaze.csv",
        "gaze.json",
        "gaze_grid.png",
        "gaze_summary.csv",
        "over_images",
    ]


@pytest.fixture
def data(tmp_path):
    """Images a and b, fixations of a and of an image that is not there, and what runs the script on them."""
    for name in ("a", "b"):
        path = tmp_path / "images" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (60, 40), (90, 120, 90)).save(path)
    points = "a.png,1,10,10,200\na.png,1,10,10,0\na.png,2,70,10,150\na.png,2,40,30,\nx.png,1,1,1,1\n"
    (tmp_path / "fixations.csv").write_text(f"image,observer,x,y,duration\n{points}")

    def run(*flags):
        folders = [f"--test_images_folder_path={tmp_path / 'images'}", f"--output_folder_path={tmp_path / 'out'}"]
        return gaze.main([*folders, f"--test_fixations_path={tmp_path / 'fixations.csv'}", *flags])

    return run


def test_what_is_wrong_with_the_fixations_is_counted_and_said(data, tmp_path, capsys):
    assert data("--sigma_px=5") == 0
    printed = capsys.readouterr().out
    assert "2 images; 1 of them without fixations; fixations of 1 other images are left alone" in printed
    assert "4 fixations: 1 outside their image, 1 repeated, without duration: 2" in printed
    assert "b.png: no fixations" in printed
    with open(tmp_path / "out" / "gaze.csv", newline="") as file:
        first, second = csv.DictReader(file)
    counts = {"observers": "2", "fixations": "4", "outside": "1", "repeated": "1", "without_duration": "2"}
    assert {key: first[key] for key in counts} == counts
    assert float(first["sigma_px"]) == 5
    assert (first["pcc"], second["status"], second["density_map"]) == ("", "no fixations", "")
    grey = np.asarray(Image.open(tmp_path / "out" / "density_maps" / "a.png"))
    assert (grey.dtype, grey.shape, grey.max(), grey[10, 10]) == (np.uint8, (40, 60), 255, 255)
    assert grey[30, 40] == pytest.approx(127.5, abs=1)  # one fixation there, two at the maximum
    assert Image.open(tmp_path / "out" / "over_images" / "a.png").mode == "RGB"


def test_sigma_follows_the_screen_that_is_named(data, tmp_path):
    assert (
        data(
            "--screen_width_px=600",
            "--screen_height_px=400",
            "--screen_height_mm=400",
            "--distance_mm=100",
            "--angle_deg=45",
        )
        == 0
    )
    with open(tmp_path / "out" / "gaze.csv", newline="") as file:
        assert float(next(csv.DictReader(file))["sigma_px"]) == pytest.approx(10)  # 100 px of a screen 10 x as large


def test_an_official_map_that_is_of_no_use_fails_its_image_alone(data, tmp_path, capsys):
    (tmp_path / "gdfm").mkdir()
    Image.new("L", (40, 60)).save(tmp_path / "gdfm" / "a.png")
    assert data(f"--test_gdfm_folder_path={tmp_path / 'gdfm'}") == 1
    assert "a.png: failed: official map: density map 'a.png' is 40 x 60" in capsys.readouterr().out
    Image.new("L", (60, 40)).save(tmp_path / "gdfm" / "a.png")
    assert data(f"--test_gdfm_folder_path={tmp_path / 'gdfm'}") == 1
    assert "a.png: failed: official map: ground_truth is constant" in capsys.readouterr().out
    assert (tmp_path / "out" / "density_maps" / "a.png").is_file()


def test_maps_of_other_settings_are_refused_or_removed_and_nothing_else_is(data, tmp_path, capsys):
    out = tmp_path / "out"
    assert data("--sigma_px=5") == data("--sigma_px=5") == 0
    assert data("--sigma_px=6") == 2
    assert "other settings" in capsys.readouterr().err
    (tmp_path / "fixations.csv").write_text("image,observer,x,y\nb.png,1,3,3\n")
    assert data("--sigma_px=5") == 2  # the same file with other fixations
    (out / "density_maps" / "mine.png").write_text("x")
    assert data("--sigma_px=5", "--overwrite") == 0
    assert sorted(path.name for path in (out / "density_maps").iterdir()) == ["b.png", "mine.png"]


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--sigma_px=5", "--angle_deg=1"], "needs no --angle_deg"),
        (["--angle_deg=0"], "positive"),
        (["--distance_mm=nan"], "positive"),
        (["--colormap=rainbows"], "unknown colormap"),
        (["--test_images_folder_path=images"], "--test_fixations_path is wanted"),
        (["--test_images_folder_path=images", "--test_fixations_path=no.csv"], "no file or folder 'no.csv'"),
    ],
)
def test_a_slip_is_told_in_one_line(flags, reason, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert gaze.main(flags) == 2
    told = capsys.readouterr().err
    assert "error: " in told and reason in told and told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# --- real data -----------------------------------------------------------------------------------------------
@pytest.mark.data
def test_the_map_of_osie_is_the_mean_of_its_observers_maps():
    found = read_fixations(DATA / "osie" / "fixations.csv")
    for name in list(found)[::12]:
        observers = found[name].by_observer()
        mean = np.mean([gaze.sum_gaussians(points, 600, 800, 24) for points in observers], axis=0)
        density_map = gaze.compute_density_map(observers, 600, 800, sigma=24)
        np.testing.assert_allclose(density_map, mean / mean.max(), atol=1e-5)


@pytest.mark.data
def test_people_predict_people_on_photographs_better_than_chance():
    found = read_fixations(DATA / "osie" / "fixations.csv")
    above = []
    for name in list(found)[::12]:
        for density_map, points in gaze.leave_one_out(found[name], 600, 800, 24):
            columns, rows = points.astype(int).T
            above.append((density_map[rows, columns].mean() - density_map.mean()) / density_map.std())
    assert len(above) == 5 * 15
    assert np.mean(above) > 1.5  # deviations above the mean of the map


@pytest.mark.data
def test_the_official_maps_of_mexculture_are_as_wide_as_its_screen_says():
    # Of a sum of Gaussians of one sigma, -(log map)'' is at most 1 / sigma^2, and that where one stands alone.
    for path in (DATA / "mexculture" / "gazefixationsdensitymaps").iterdir():
        density_map = 255 * utils.read_density_map(path)
        sigma = gaze.compute_sigma(*density_map.shape)
        step = round(sigma / 3)  # 8 bits need some distance
        curvatures = []
        for levels in (density_map, density_map.T):
            before, here, after = levels[: -2 * step], levels[step:-step], levels[2 * step :]
            bright = (before > 25) & (after > 25)
            second = np.log(before[bright]) - 2 * np.log(here[bright]) + np.log(after[bright])
            curvatures.append(-np.percentile(second, 1) / step**2)
        assert np.mean(curvatures) ** -0.5 == pytest.approx(sigma, rel=0.12)  # unscaled, it would be 116 in all three
