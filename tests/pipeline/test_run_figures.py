"""The pictures of a run: pages and single files, drawn from what the run has written."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from planted import RED, picture

import constants
import representations
import utils
from data.dataset import Sample
from explainers.registry import METHODS
from pipeline import run_figures
from pipeline.records import Record
from pipeline.results import Results
from pipeline.settings import FigureSettings

MODEL = {"model_name": "planted", "layer": "colours"}
LAB_3 = {"overlay", "isolines", "isolines_superimposed", "hard_selection", "soft_selection"}
CHARTS = {"top_classes", "curves"}
PANELS = {"saliency_map", "heatmap", "density_map", *CHARTS}
CURVES = np.array([[0, 0.1, 0.9], [0.5, 0.6, 0.2], [1, 0.9, 0.1]])


@pytest.fixture
def explained(tmp_path):
    """`explained(n)` -> the results of a run on n images, and its samples; every second has a density map."""

    def run(n, **changes):
        results, samples = Results(tmp_path / "results", {"methods": {}}, {}), []
        Image.new("L", (60, 40), 9).save(tmp_path / "gaze.png")
        for number in range(n):
            path = tmp_path / f"{number}.png"
            Image.fromarray(picture(RED, seed=number)).resize((60, 40)).save(path)
            density_map_path = tmp_path / "gaze.png" if number % 2 == 0 else None
            samples.append(Sample(path.name, path.stem, path, "red", 0, density_map_path))
            record = Record(
                "GRADCAM",
                path.name,
                path.stem,
                samples[-1].checksum,
                "red",
                "red",
                0.9,
                0,
                "red",
                insertion_auc=0.5,
                deletion_auc=0.3,
                top_classes=[["red", 0.9], ["green", 0.1]],
            )
            results.add(replace(record, **changes), np.random.default_rng(number).random((8, 8), np.float32), CURVES)
        return results, samples

    return run


@pytest.fixture
def rows(monkeypatch):
    """The rows of every page that is drawn, and the pages' titles; drawing itself is left out."""
    drawn = []

    monkeypatch.setattr(run_figures, "figure_grid", lambda explained, title, dpi: drawn.append((title, explained)))
    monkeypatch.setattr("output.figures.save_figure", lambda figure, path: path.write_bytes(b"page"))
    return drawn


def draw(results, samples, display_type="grid", style=run_figures.Style(), methods=("GRADCAM",), **wanted):  # noqa: B008
    chosen = [METHODS[name] for name in methods]
    wanted = FigureSettings(**{"n_images": None, **wanted})
    drawing = run_figures.Drawing(results, samples, chosen, display_type, style, MODEL, wanted)
    return run_figures.write_run_figures(drawing)


def files_in(results):
    return sorted(path.name for path in (results.folder / "figures").iterdir() if path.suffix != ".json")


def test_a_page_is_a_picture(explained):
    [path] = draw(*explained(2))
    with Image.open(path) as page:
        assert page.format == "PNG" and min(page.size) > 400


def test_pages_follow_each_other(explained, rows):
    n = 2 * constants.ROWS_PER_PAGE + 1
    paths = draw(*explained(n))
    assert [path.name for path in paths] == ["GRADCAM_grid.png", "GRADCAM_grid_2.png", "GRADCAM_grid_3.png"]
    assert [len(page) for _, page in rows] == [constants.ROWS_PER_PAGE] * 2 + [1]
    assert [row.name for _, page in rows for row in page] == [f"{number}.png" for number in range(n)]


def test_pages_of_a_longer_run_do_not_stay(explained, rows):
    results, samples = explained(2 * constants.ROWS_PER_PAGE + 1)
    draw(results, samples)
    draw(results, samples[:2])
    assert files_in(results) == ["GRADCAM_grid.png"]


# --- which are drawn -----------------------------------------------------------------------------------------
def test_of_a_long_run_the_first_images_are_drawn_and_the_best_and_worst_of_all(explained, rows):
    results, samples = explained(9)
    for record, pcc in zip(list(results.records.values()), (0.5, 0.1, 0.9, None, 0.2, 0.8, 0.7, 0.3, 0.4)):
        results.add(replace(record, pcc=pcc))
    paths = draw(results, samples, n_images=2)
    assert [path.name for path in paths] == ["GRADCAM_grid.png", "GRADCAM_extremes.png"]
    assert [row.name for row in rows[0][1]] == ["0.png", "1.png"]
    assert [row.name for row in rows[1][1]] == [f"{number}.png" for number in (2, 5, 6, 7, 4, 1)]
    assert rows[1][0] == "GRADCAM, planted, layer colours: the 3 best and the 3 worst of 9 images by PCC"


def test_without_gaze_the_extremes_are_those_of_the_first_measure_that_is_there(explained):
    results, samples = explained(6, insertion_auc=None)
    known = list(zip(samples, results.records.values()))
    for (_, record), value in zip(known, (0.6, 0.1, 0.5, 0.2, 0.4, 0.3)):
        record.deletion_auc = value
    shown, which = run_figures.choose_extremes(known)
    assert [sample.stem for sample, _ in shown] == ["1", "3", "5", "4", "2", "0"], "less is better"
    assert which == "the 3 best and the 3 worst of 6 images by deletion"
    assert run_figures.choose_extremes(known[:5]) == ([], "")


def test_all_draws_all_and_leaves_no_page_of_extremes(explained, rows):
    results, samples = explained(8)
    draw(results, samples, n_images=2)
    draw(results, samples)
    assert files_in(results) == ["GRADCAM_grid.png", "GRADCAM_grid_2.png"]


def test_what_is_not_drawn_is_said():
    assert (
        run_figures.describe_wanted(FigureSettings(), 12) == run_figures.describe_wanted(FigureSettings(None), 99) == ""
    )
    assert "first 12 of 13 images" in run_figures.describe_wanted(FigureSettings(), 13)
    assert "no figure" in run_figures.describe_wanted(FigureSettings(0), 1)


def test_none_draws_none(explained, rows):
    assert draw(*explained(2), n_images=0) == [] and not rows


def test_nothing_is_drawn_again_unless_what_it_shows_has_changed(explained, rows):
    results, samples = explained(8)
    assert draw(results, samples) == draw(results, samples) and len(rows) == 2
    results.add(replace(results.records["GRADCAM", "7.png"], pcc=0.5))
    draw(results, samples)
    assert [row.name for row in rows[-1][1]] == ["6.png", "7.png"] and len(rows) == 3
    results.add(results.records["GRADCAM", "0.png"], np.ones((8, 8), np.float32))
    draw(results, samples)
    assert rows[-1][1][0].name == "0.png" and len(rows) == 4
    draw(results, samples, style=run_figures.Style("turbo"))
    assert len(rows) == 6


@pytest.mark.parametrize("display_type", ["grid", "singles"])
def test_every_format_is_written(explained, display_type):
    results, samples = explained(1)
    draw(results, samples, display_type, formats=("svg", "pdf"))
    found = {path.suffix for path in (results.folder / "figures").rglob("*.*")}
    assert found == {".svg", ".pdf", ".json"}


def test_a_photograph_of_many_pixels_is_read_only_as_large_as_it_is_drawn(explained):
    results, [sample] = explained(1)
    path = sample.path.with_suffix(".jpg")
    Image.new("RGB", (4000, 3000), (200, 100, 50)).save(path)
    row = run_figures.explained_image(
        results, replace(sample, path=path, density_map_path=None), results.records["GRADCAM", "0.png"], {}, 120
    )
    assert row.image.shape == (315, 420, 3) and abs(row.image.astype(int) - (200, 100, 50)).max() <= 3


def test_a_page_says_method_model_and_layer_where_the_method_looks_at_one(explained, rows):
    results, samples = explained(1)
    results.add(replace(results.records["GRADCAM", "0.png"], method="RISE"), np.eye(4, dtype=np.float32))
    draw(results, samples, methods=["GRADCAM", "RISE"])
    assert [title for title, _ in rows] == ["GRADCAM, planted, layer colours", "RISE, planted"]


def test_a_row_shows_what_was_recorded(explained, rows):
    results, samples = explained(2, pcc=0.25, status="constant map", undefined={"sim": "a reason"})
    draw(results, samples, style=run_figures.Style("turbo", 0.25, "simulated gaze"))
    [(_, [first, second])] = rows
    assert (first.label, first.target, first.top_classes[0]) == ("red", "red", ["red", 0.9])
    assert (first.colormap, first.alpha, first.density_note, first.signed) == ("turbo", 0.25, "simulated gaze", False)
    assert first.note == "constant map; sim undefined: a reason" and first.pcc == 0.25
    assert first.image.shape == (40, 60, 3) and first.density_map.shape == (40, 60) and second.density_map is None
    np.testing.assert_array_equal(first.saliency_map, results.read_map(results.records["GRADCAM", "0.png"]))
    for curve, auc, column in ((first.insertion, 0.5, 1), (first.deletion, 0.3, 2)):
        assert curve[0] == auc
        np.testing.assert_array_equal(curve[1:], [CURVES[:, column], CURVES[:, 0]])


@pytest.mark.parametrize("display_type", ["grid", "singles"])
def test_a_name_that_is_no_utf8_can_be_drawn(explained, display_type):
    results, [sample] = explained(1)
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    results.add(replace(results.records["GRADCAM", "0.png"], image=name, label=name), np.eye(4, dtype=np.float32))
    assert draw(results, [replace(sample, name=name)], display_type)


def test_an_image_without_a_map_is_left_out(explained, rows):
    results, samples = explained(3)
    results.add(Record("GRADCAM", "1.png", "1", status="failed: damaged"))
    draw(results, samples)
    assert [row.name for _, page in rows for row in page] == ["0.png", "2.png"]


def test_where_nothing_could_be_explained_nothing_is_drawn(explained, rows):
    results, samples = explained(0)
    assert draw(results, samples) == draw(results, samples, "singles") == [] and not rows


def test_a_density_map_that_could_not_be_used_is_not_drawn(explained, rows):
    results, samples = explained(1, undefined={"density_map": "not the same shape"})
    draw(results, samples)
    assert rows[0][1][0].density_map is None and "not the same shape" in rows[0][1][0].note


def test_without_curves_there_is_no_panel_of_them(explained, rows):
    results, samples = explained(1)
    results.curves_path(results.records["GRADCAM", "0.png"]).unlink()
    draw(results, samples)
    assert (rows[0][1][0].insertion, rows[0][1][0].deletion) == (None, None)


def test_singles_are_one_file_per_picture(explained):
    results, samples = explained(2)
    paths = draw(results, samples, "singles")
    names = {path.relative_to(results.folder).as_posix() for path in paths}
    assert names == {
        *(f"figures/GRADCAM/0_{what}.png" for what in LAB_3 | PANELS),
        *(f"figures/GRADCAM/1_{what}.png" for what in LAB_3 | PANELS - {"density_map"}),
    }
    for path in paths:
        with Image.open(path) as image:
            assert (image.size == (60, 40)) == (path.stem[2:] not in CHARTS), path.name


def test_single_pictures_are_the_pictures_of_the_map_at_the_size_of_the_image(explained):
    results, [sample] = explained(1)
    draw(results, [sample], "singles")
    saliency_map = results.read_map(results.records["GRADCAM", "0.png"])
    scale = representations.colour_scale(saliency_map)
    shown = np.asarray(Image.open(results.folder / "figures" / "GRADCAM" / "0_heatmap.png"))
    np.testing.assert_array_equal(shown, scale.colour(utils.resize_map(saliency_map, 40, 60)))


@pytest.mark.parametrize(
    "size, display_type",
    [
        ((1, 1), "grid"),
        ((1, 1), "singles"),
        ((1, 300), "grid"),
        ((2000, 3), "grid"),
        ((2000, 3), "singles"),
        ((1, 300), "singles"),
    ],
)
def test_images_of_any_shape_can_be_drawn(explained, size, display_type):
    results, [sample] = explained(1)
    Image.new("RGB", size, (200, 10, 10)).save(sample.path)
    sample = replace(sample, density_map_path=None)
    for path in draw(results, [sample], display_type):
        assert path.stat().st_size > 0


# --- pages while the run goes on ---------------------------------------------------------------------------
def watch_maps(results, samples, display_type="grid", wanted=FigureSettings()):  # noqa: B008 it cannot be changed
    """What is called after each map, once for each sample in turn: after how many the first page was there."""
    method, style = METHODS["GRADCAM"], run_figures.Style()
    drawing = run_figures.Drawing(results, samples, [method], display_type, style, MODEL, wanted)
    first_pages = run_figures.FirstPages(drawing)
    page = results.folder / "figures" / "GRADCAM_grid.png"
    for n_done in range(1, len(samples) + 1):
        first_pages(method, lambda method, sample, n_done=n_done: sample in samples[:n_done])
        if page.is_file():
            return n_done
    return None


def test_the_first_page_is_drawn_as_soon_as_its_images_are_done_and_not_again(explained, rows):
    results, samples = explained(constants.ROWS_PER_PAGE + 2)
    assert watch_maps(results, samples) == constants.ROWS_PER_PAGE
    assert [path.name for path in draw(results, samples)] == ["GRADCAM_grid.png", "GRADCAM_grid_2.png"]
    assert [len(page) for _, page in rows] == [constants.ROWS_PER_PAGE, 2]


def test_a_short_first_page_is_drawn_once_all_its_images_are_done(explained, rows):
    results, samples = explained(4)
    assert watch_maps(results, samples, wanted=FigureSettings(n_images=3)) == 3


def test_no_page_is_drawn_early_that_will_hold_other_images_or_is_not_asked_for(explained, rows):
    results, samples = explained(2)
    assert watch_maps(results, samples, "singles") is None
    assert watch_maps(results, samples, wanted=FigureSettings(n_images=0)) is None
    results.add(replace(results.records["GRADCAM", samples[0].name], status="failed: no"))
    assert watch_maps(results, samples) is None
