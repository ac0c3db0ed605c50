"""Whole comparisons through `compare.main`: flags, tables against numbers from the maps, what is not computed again.

A planted classifier of red, green and blue squares stands for the network; boxes are drawn around its squares.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted import BLUE, CELL, COLOURS, GREEN, RED, picture, read_table, square

import compare
import constants
import main
from comparison import methods_figures
from data.boxes import BOX_COLUMNS, read_boxes
from explainers.registry import METHODS
from gradcam import GradCAM
from lime_explainer import LimeExplainer
from metrics import agreement

CHEAP = ("--lime_num_samples=100", "--lime_hide_color=100")  # a square is not hidden by its own mean colour
NAMES = ["red/0.png", "green/1.png", "blue/2.png"]


@pytest.fixture
def work(tmp_path, monkeypatch, model_file):
    """A working folder with images/<colour>/<number>.png and boxes.csv; the blue image is twice as wide as high."""
    monkeypatch.chdir(tmp_path)
    rows = []
    for number, colour in enumerate((RED, GREEN, BLUE)):
        path = Path("images", COLOURS[colour], f"{number}.png")
        path.parent.mkdir(parents=True)
        stretch = 2 if colour == BLUE else 1
        Image.fromarray(picture(colour, seed=number)).resize((96 * stretch, 96)).save(path)
        ys, xs = np.nonzero(square(colour))
        corners = stretch * xs.min(), ys.min(), stretch * (xs.max() + 1), ys.max() + 1
        rows.append([f"{COLOURS[colour]}/{number}.png", *corners])
    write_boxes(rows)
    monkeypatch.setattr(sys.modules[__name__], "MODEL", str(model_file), raising=False)
    return tmp_path


@pytest.fixture
def undrawn(monkeypatch):
    """No pictures: most tests are about numbers."""
    monkeypatch.setattr(methods_figures, "write_comparison_pages", lambda *args: iter(()))


def write_boxes(rows):
    with open("boxes.csv", "w", newline="") as file:
        csv.writer(file).writerows([BOX_COLUMNS, *rows])


def run(*flags, script=compare):
    """The exit code of a cheap comparison; argparse leaves by SystemExit."""
    try:
        return script.main(["--test_images_folder_path=images", f"--model_path={MODEL}", *flags])  # noqa: F821
    except SystemExit as stop:
        return stop.code


def rows_of(name, folder="results"):
    return read_table(Path(folder, f"{name}.csv"))


def map_of(method, image):
    return np.load(Path("results/maps", method, f"{Path(image).stem}.npy"))


# --- flags -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "flags, words",
    [
        ("--fraction=0", "--fraction: more than 0, up to 1 was wanted"),
        ("--fraction=1.5", "--fraction: more than 0, up to 1 was wanted"),
        ("--fraction=nan", "--fraction: "),
        ("--explanation_method=GRADCAM", "two explanation methods or more"),
        ("--explanation_method=FEM,fem", "two explanation methods or more"),
        ("--rank_by=sim", "invalid choice"),
        ("--display_type=grid", "unrecognized arguments: --display_type"),
        ("--lime_preset=mine", "invalid choice"),
        ("--top_k=2", "unrecognized arguments: --top_k"),
        ("--classes=red", "unrecognized arguments: --classes"),
        ("--mute_boxes=boxes.csv", "unrecognized arguments: --mute_boxes"),
        ("--explanation_method=FEM,GRADCAM --lime_preset=assignment", "--lime_preset belongs to LIME"),
        ("--explanation_method=GRADCAM,FOO", "choose from: GRADCAM, FEM"),
        ("--boxes=none.csv", "there is no file"),
        ("--rise_n_masks=3", "belongs to RISE"),
        ("--fraction=0.00001", "keeps 0"),
    ],
)
def test_a_bad_flag_ends_the_comparison(work, undrawn, capsys, flags, words):
    assert run(*flags.split()) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_the_preset_is_the_assignments_and_a_flag_given_besides_prevails():
    def options(*flags):
        return compare.read_settings(compare.build_parser().parse_args(flags)).run.methods[METHODS["LIME"]]

    preset = options("--lime_preset=assignment")
    wanted = {"top_labels": 1, "hide_color": 0, "num_lime_features": 100_000, "num_samples": 1000}
    assert {name: preset[name] for name in wanted} == wanted
    assert options("--lime_preset=assignment", "--lime_hide_color=mean")["num_samples"] == 1000
    assert options("--lime_preset=assignment", CHEAP[0])["num_samples"] == 100
    assert options()["hide_color"] == constants.LIME_HIDE_COLOR


def test_the_flags_of_main_are_taken_with_two_methods_by_default():
    args = compare.build_parser().parse_args(["--seed=3", "--limit=2", "--class_index=predicted"])
    assert (args.seed, args.limit, args.class_index, args.explanation_method) == (3, 2, "predicted", "GRADCAM,LIME")


# --- numbers -----------------------------------------------------------------------------------------------
def test_each_pair_and_image_has_the_numbers_of_its_maps(work, undrawn):
    assert run("--explanation_method=GRADCAM,FEM,LIME", *CHEAP, "--fraction=0.3") == 0
    rows = rows_of("agreement")
    assert len(rows) == 3 * 3 and {row["image"] for row in rows} == set(NAMES)
    for row in rows:
        maps = [map_of(row[key], row["image"]) for key in ("method_a", "method_b")]
        found = agreement.compare_maps(maps, 0.3)
        for metric in agreement.AGREEMENTS:
            assert float(row[metric]) == pytest.approx(found[metric][0, 1]), metric


def test_images_are_ranked_within_each_pair_and_summed_up(work, undrawn, capsys):
    assert run(*CHEAP, "--rank_by=pcc") == 0
    rows = rows_of("agreement")
    values = [float(row["pcc"]) for row in rows]
    assert values == sorted(values, reverse=True) and [row["rank"] for row in rows] == ["1", "2", "3"]
    [summary] = rows_of("agreement_summary")
    assert (summary["method_a"], summary["method_b"], summary["images"]) == ("GRADCAM", "LIME", "3")
    assert float(summary["pcc_mean"]) == pytest.approx(np.mean(values))
    assert float(summary["pcc_std"]) == pytest.approx(np.std(values, ddof=1)) and summary["pcc_n"] == "3"
    assert f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}" in capsys.readouterr().out


def test_a_method_that_finds_the_square_wins_the_score_board(work, undrawn, capsys):
    assert run(*CHEAP, "--boxes=boxes.csv", f"--fraction={4 * CELL**2 / 96**2}") == 0
    board = {row["method"]: row for row in rows_of("score_board")}
    assert list(board) == ["GRADCAM", "LIME"]
    grad_cam = board["GRADCAM"]
    assert (grad_cam["images"], grad_cam["undefined"], grad_cam["iou_n"]) == ("3", "0", "3")
    assert float(grad_cam["iou_mean"]) > 0.8 and float(grad_cam["pointing_game_mean"]) == 1
    assert float(grad_cam["energy_pointing_game_mean"]) > 0.5 and float(grad_cam["seconds_mean"]) > 0
    assert "seconds_std" not in grad_cam, "images that are explained at once share their time"
    printed = capsys.readouterr().out
    assert "which cover 6.25 % of an image, so that 1.00 would be the best" in printed
    assert f"{float(grad_cam['iou_mean']):.3f}" in printed
    for row in rows_of("localisation"):
        assert float(row["pointing_game"]) > 0.95, "the blue image is wide: its map lies in its box at its own size"


def test_a_board_against_boxes_with_exchanged_axes_is_lost(work, undrawn):
    [box] = read_boxes("boxes.csv")["red/0.png"]
    write_boxes([["red/0.png", box.y0, box.x0, box.y1, box.x1]])
    assert run(*CHEAP, "--boxes=boxes.csv") == 0
    [grad_cam, _] = rows_of("score_board")
    assert grad_cam["images"] == "1" and float(grad_cam["pointing_game_mean"]) == 0 == float(grad_cam["iou_mean"])


def test_limes_masks_are_kept_as_they_are_and_scored_as_the_assignment_calls_it(work, undrawn, capsys):
    assert run(*CHEAP, "--lime_variant=mask", "--boxes=boxes.csv") == 0
    mask = map_of("LIME", "blue/2.png")
    assert set(np.unique(mask)) == {0, 1}
    rows = [row for row in rows_of("localisation") if row["method"] == "LIME"]
    wide = mask.repeat(2, axis=1).astype(bool)  # the blue image is twice as wide as high
    iou = agreement.calculate_iou(wide, square(BLUE).repeat(2, axis=1))
    assert float({row["image"]: row["iou"] for row in rows}["blue/2.png"]) == pytest.approx(iou, abs=0.03)
    board = {row["method"]: row for row in rows_of("score_board")}
    assert float(board["LIME"]["avg_iou"]) == pytest.approx(np.mean([float(row["iou"]) for row in rows]))
    assert float(board["LIME"]["avg_time"]) == pytest.approx(np.mean([float(row["seconds"]) for row in rows]))
    assert board["GRADCAM"]["avg_iou"] == board["GRADCAM"]["avg_time"] == ""
    printed = capsys.readouterr().out
    assert "LIME's masks: avg_iou 0." in printed and "largest, LIME's masks as they are, with the boxes" in printed


def test_images_without_boxes_are_left_out_and_counted(work, undrawn, capsys):
    write_boxes([["red/0.png", 0, 0, 20, 20], ["red/0.png", 50, 10, 70, 40], ["elsewhere.png", 0, 0, 9, 9]])
    assert run(*CHEAP, "--boxes=boxes.csv") == 0
    printed = capsys.readouterr().out
    assert "of 1 image; without any, left out: 2; named, but not among the images: 1" in printed
    assert {row["image"] for row in rows_of("localisation")} == {"red/0.png"}


@pytest.mark.parametrize(
    "rows, words",
    [
        ([["red/0.png", 0, 0, 97, 20]], "the box of line 2 (0, 0, 97, 20) reaches beyond its image of 96 x 96"),
        ([["red/0.png", 0, 0, 9, 9], ["green/1.png", 5, 5, 5, 9]], "line 3"),
        ([["0.png", 0, 0, 9, 9]], "none of the 1"),
    ],
)
def test_bad_boxes_end_the_comparison_before_anything_is_explained(work, undrawn, counted, capsys, rows, words):
    write_boxes(rows)
    assert run(*CHEAP, "--boxes=boxes.csv") == 2
    assert words in capsys.readouterr().err and counted == []


# --- what cannot be compared -------------------------------------------------------------------------------
def test_a_constant_map_is_undefined_counted_and_named(work, undrawn, monkeypatch, capsys):
    original = GradCAM.compute_saliency_map

    def compute(self):
        maps = original(self)
        maps[1:2] = 0.5
        return maps

    monkeypatch.setattr(GradCAM, "compute_saliency_map", compute)
    assert run(*CHEAP, "--boxes=boxes.csv") == 0
    image = sorted(NAMES)[1]
    assert f"undefined: GRADCAM {image}: constant map" in capsys.readouterr().out
    [*_, last] = rows_of("agreement")
    assert last["image"] == image and last["undefined"] == "GRADCAM: constant map" and last["iou"] == last["rank"] == ""
    [summary] = rows_of("agreement_summary")
    assert [summary[key] for key in ("images", "undefined", "iou_n", "pcc_n")] == ["3", "1", "2", "2"]
    board = {row["method"]: row for row in rows_of("score_board")}
    assert (board["GRADCAM"]["undefined"], board["LIME"]["undefined"]) == ("1", "0")


def test_an_image_that_cannot_be_read_is_reported_and_the_rest_compared(work, undrawn, capsys):
    Path("images/red/0.png").write_bytes(b"no")
    assert run(*CHEAP, "--boxes=boxes.csv") == 1
    assert "GRADCAM red/0.png: failed: " in capsys.readouterr().out
    [summary] = rows_of("agreement_summary")
    assert (summary["images"], summary["iou_n"]) == ("3", "2")
    assert "failed: " in rows_of("agreement")[-1]["undefined"]
    assert len(rows_of("localisation")) == 4


def test_a_folder_in_which_every_image_is_bad_still_reports(work):
    for path in Path("images").rglob("*.png"):
        path.write_bytes(b"no")
    assert run(*CHEAP) == 1
    assert rows_of("agreement_summary")[0]["undefined"] == "3" and Path("results/agreement_matrix.png").is_file()


# --- stopped and continued ---------------------------------------------------------------------------------
def test_the_same_comparison_again_computes_nothing_and_writes_the_same(work, undrawn, counted):
    assert run(*CHEAP, "--boxes=boxes.csv") == 0
    names = "agreement.csv", "agreement_summary.csv", "localisation.csv", "score_board.csv"
    first = {name: Path("results", name).read_bytes() for name in names}
    counted.clear()
    assert run(*CHEAP, "--boxes=boxes.csv") == 0
    assert counted == [] and first == {name: Path("results", name).read_bytes() for name in names}


def test_maps_of_main_are_taken_and_only_the_missing_method_is_computed(work, undrawn, counted):
    assert run("--explanation_method=GRADCAM", script=main) == 0
    counted.clear()
    assert run(*CHEAP) == 0
    assert counted == ["LimeExplainer"] * 3
    records = {(row["method"], row["image"]): row for row in rows_of("records")}
    assert records["GRADCAM", "red/0.png"]["insertion_auc"]
    lime = records["LIME", "red/0.png"]
    assert not lime["insertion_auc"] and json.loads(lime["undefined"]) == {}, "it was not asked for"


def test_main_measures_later_what_a_comparison_left_out(work, undrawn, counted):
    assert run(*CHEAP) == 0
    compared = map_of("GRADCAM", "red/0.png")
    counted.clear()
    assert run("--explanation_method=GRADCAM", script=main) == 0
    assert counted == [], "the maps are there: only the judges are missing"
    assert all(row["insertion_auc"] for row in rows_of("records") if row["method"] == "GRADCAM")
    np.testing.assert_array_equal(map_of("GRADCAM", "red/0.png"), compared)
    counted.clear()
    assert run(*CHEAP) == 0 and counted == []


def test_a_folder_with_other_settings_is_refused(work, undrawn, capsys):
    assert run(*CHEAP) == 0
    assert run(*CHEAP, "--seed=1") == 2
    assert "holds a run with other settings" in capsys.readouterr().err


def test_ctrl_c_leaves_a_comparison_that_goes_on(work, undrawn, counted, monkeypatch, capsys):
    original = LimeExplainer.explain_with_lime

    def interrupted(self):
        if len(counted) == 5:
            raise KeyboardInterrupt
        return original(self)

    monkeypatch.setattr(LimeExplainer, "explain_with_lime", interrupted)
    assert run(*CHEAP) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    monkeypatch.setattr(LimeExplainer, "explain_with_lime", original)
    counted.clear()
    assert run(*CHEAP) == 0 and counted == ["LimeExplainer"] * 2


# --- figures -----------------------------------------------------------------------------------------------
def test_the_overlap_shows_only_one_only_the_other_both_and_neither():
    image = np.full((2, 8, 3), 255, np.uint8)
    one, other = np.array([[1, 1, 0, 0]], bool), np.array([[0, 1, 1, 0]], bool)
    found = methods_figures.represent_overlap(image, one, other)
    assert found.shape == (2, 8, 3) and found.dtype == np.uint8
    colours = [tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5)) for colour in constants.COLOURS_OVERLAP]
    for column, colour in zip((0, 2, 4, 6), (colours[0], colours[2], colours[1], (255, 255, 255))):
        assert (found[:, column : column + 2] == colour).all(), column


def test_the_matrix_writes_means_over_deviations_and_leaves_the_undefined_white():
    mean = np.array([[1, 0.25, np.nan], [0.25, 1, -0.5], [np.nan, -0.5, 1]])
    figure = methods_figures.figure_matrix(["A", "B", "C"], {"pcc": (mean, np.abs(mean) / 10)}, "a title")
    axes = figure.axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts[1, 0] == texts[0, 1] == "0.25\n± 0.03" and texts[2, 1] == "-0.50\n± 0.05" and texts[2, 0] == "–"
    assert len(texts) == 6, "none on the diagonal"
    assert axes.get_title(loc="left") == "PCC"


def test_all_files_are_drawn_most_agreeing_first_and_pages_of_a_larger_run_removed(work, monkeypatch, capsys):
    monkeypatch.setattr(constants, "ROWS_PER_PAGE", 2)
    drawn = []
    original = methods_figures.figure_ranking

    def figure_ranking(pairs, **options):
        drawn.append([(pair.rank, pair.one.name, pair.scores["iou"]) for pair in pairs])
        return original(pairs, **options)

    monkeypatch.setattr(methods_figures, "figure_ranking", figure_ranking)
    assert run(*CHEAP) == 0
    pages = {path.relative_to("results").as_posix() for path in Path("results").rglob("*.png")}
    ours = {"agreement_matrix.png", "side_by_side.png", "side_by_side_2.png"}
    ours |= {f"agreement/GRADCAM_LIME/ranking{number}.png" for number in ("", "_2")}
    assert ours <= pages and "side_by_side.png" in capsys.readouterr().out
    assert [len(page) for page in drawn] == [2, 1]
    shown = [pair for page in drawn for pair in page]
    assert [rank for rank, *_ in shown] == [1, 2, 3]
    assert [score for *_, score in shown] == sorted((score for *_, score in shown), reverse=True)
    assert run(*CHEAP, "--limit=1") == 0
    left = {path.relative_to("results").as_posix() for path in Path("results").rglob("*.png")}
    assert ours - left == {"side_by_side_2.png", "agreement/GRADCAM_LIME/ranking_2.png"}
    drawn.clear()
    assert run(*CHEAP, "--figures=1", "--figure_format=svg,png", "--dpi=60") == 0
    assert [[rank for rank, *_ in page] for page in drawn] == [[1, 3]], "both ends of the ranking"
    assert Path("results/agreement_matrix.svg").is_file() and not Path("results/side_by_side_2.svg").exists()
    assert round(Image.open("results/side_by_side.png").info["dpi"][0]) == 60


def test_of_many_pairs_those_that_agree_most_and_least_are_drawn_and_the_others_are_named(work, monkeypatch, capsys):
    monkeypatch.setattr(constants, "N_EXTREMES", 1)
    four = "--explanation_method=GRADCAM,HIRESCAM,FEM,GRADIENT_INPUT"
    assert run(four) == 0 and "--figures=all" not in capsys.readouterr().out
    assert len(rankings()) == 6, "up to twelve all are drawn"
    assert run(four, "--figures=2") == 0
    summary = rows_of("agreement_summary")
    ranked = sorted(summary, key=lambda row: -float(row["iou_mean"]))
    assert rankings() == {f"{row['method_a']}_{row['method_b']}" for row in (ranked[0], ranked[-1])}, (
        "older ones are gone"
    )
    printed = capsys.readouterr().out
    assert "drawn: the first 2 of 3 images side by side; the rankings of the 1 pairs that agree most and" in printed
    assert "least, of 6; --figures=all draws every one" in printed


def rankings():
    """The pairs whose ranking is drawn."""
    return {path.parent.name for path in Path("results/agreement").rglob("ranking.png")}
