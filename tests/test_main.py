"""Whole runs through `main.main`: flags, bad input, what is written, and that a stopped run ends like an unbroken one.

A planted classifier of red, green and blue squares stands for the network; most runs leave the drawing out.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from planted import BLUE, COLOURS, GREEN, RED, ROOT, picture, planted_model, read_table, square

import constants
import main
import utils
from explainers.registry import BASELINES, METHODS
from metrics.catalogue import DENSITY, POINTS, names_against
from network import model_files
from pipeline import run_figures
from rise import RISE

CHEAP = ("--rise_n_masks=40", "--lime_num_samples=30")
METRICS_OF_THE_LAB = ("pcc", "sim", "insertion_auc", "deletion_auc")
LAB_FLAGS = (
    "test_images_folder_path",
    "test_gdfm_folder_path",
    "test_gfdm_folder_path",
    "explanation_method",
    "model_name",
    "display_type",
)
ADDED_FLAGS = (
    "model_path",
    "class_names",
    "class_index",
    "layer_name",
    "limit",
    "batch_size",
    "engine",
    "seed",
    "precision",
    "colormap",
    "alpha",
    "faithfulness_protocol",
    "fidelity_protocol",
    "output_folder_path",
    "show",
    "overwrite",
)


@pytest.fixture
def work(tmp_path, monkeypatch, model_file):
    """A working folder with planted.keras, images/<colour>/<number>.png and gaze/ of the same layout."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(model_file, "planted.keras")
    for number, colour in enumerate((RED, GREEN, BLUE)):
        name = f"{COLOURS[colour]}/{number}.png"
        save(f"images/{name}", picture(colour, seed=number))
        save(f"gaze/{name}", np.where(square(colour), 255, 0).astype(np.uint8))
    return tmp_path


@pytest.fixture
def undrawn(monkeypatch):
    """No pictures: most tests are about records."""
    monkeypatch.setattr(run_figures, "write_run_figures", lambda *args, **options: [])


def save(path, pixels, **options):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)


def run(*flags, images="images"):
    """The exit code; argparse leaves by SystemExit."""
    given = [f"--test_images_folder_path={images}"] if images else []
    if not any(flag.startswith("--model") for flag in flags):
        given.append("--model_path=planted.keras")
    try:
        return main.main([*given, *flags])
    except SystemExit as stop:
        return stop.code


def rows_of(name="records", folder="results"):
    return read_table(Path(folder, f"{name}.csv"))


def statuses(folder="results"):
    return {row["image"]: row["status"] for row in rows_of(folder=folder)}


def maps_of(folder="results"):
    return {path.relative_to(folder).as_posix(): np.load(path) for path in Path(folder, "maps").rglob("*.npy")}


def assert_same_run(one, other):
    """Equal tables, but for the seconds, and equal maps; a batch of another size may differ by rounding."""
    for name, keys in (("records", ("method", "image")), ("summary", ("method",))):
        tables = [sorted(rows_of(name, folder), key=lambda row: [row[key] for key in keys]) for folder in (one, other)]
        assert len(tables[0]) == len(tables[1])
        for left, right in zip(*tables):
            for key in (key for key in left if not key.startswith("seconds_") and key != "seconds"):
                try:
                    assert float(left[key]) == pytest.approx(float(right[key]), rel=1e-5, abs=1e-6), key
                except ValueError:
                    assert key == "top_classes" or left[key] == right[key]
    maps = maps_of(one), maps_of(other)
    assert maps[0].keys() == maps[1].keys()
    for name, saliency_map in maps[0].items():
        np.testing.assert_allclose(saliency_map, maps[1][name], rtol=1e-4, atol=1e-6)


# --- flags -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("flag", [*LAB_FLAGS, *ADDED_FLAGS])
def test_a_flag_is_spelled_as_promised(flag):
    assert f"--{flag}" in main.build_parser()._option_string_actions


def test_each_method_has_its_own_options_under_its_prefix():
    parser = main.build_parser()
    for method in METHODS.values():
        for option in method.options:
            assert f"--{method.name.lower()}_{option.name}" in parser._option_string_actions


@pytest.mark.parametrize("flag", ["--test_gdfm_folder_path", "--test_gfdm_folder_path"])
def test_both_spellings_of_the_folder_of_density_maps_are_one(flag):
    assert main.build_parser().parse_args([flag, "x"]).test_gdfm_folder_path == "x"


@pytest.mark.parametrize(
    "text, names",
    [("gradcam", ["GRADCAM"]), ("Rise, fem", ["RISE", "FEM"]), ("all", list(METHODS)), ("FEM,fem", ["FEM"])],
)
def test_methods_are_chosen_in_any_letter_case(text, names):
    chosen = main.read_settings(main.build_parser().parse_args(["--explanation_method", text])).run.methods
    assert [method.name for method in chosen] == names


def test_options_of_a_method_are_those_given_else_the_defaults():
    flags = ["--explanation_method=RISE,LIME", "--rise_n_masks=7", "--lime_hide_color=0,0,255"]
    chosen = main.read_settings(main.build_parser().parse_args(flags)).run.methods
    rise, lime = chosen[METHODS["RISE"]], chosen[METHODS["LIME"]]
    assert (rise["n_masks"], rise["threshold"]) == (7, constants.RISE_THRESHOLD)
    assert (lime["hide_color"], lime["num_samples"]) == ((0, 0, 255), constants.LIME_NUM_SAMPLES)


@pytest.mark.parametrize("method", [method for method in METHODS.values() if method.options], ids=lambda m: m.name)
def test_a_flag_that_belongs_to_no_chosen_method_is_refused(method, work, capsys):
    option = method.options[0]
    value = option.choices[0] if option.choices else 1
    other = "FEM" if method.name != "FEM" else "GRADCAM"
    assert run(f"--{method.name.lower()}_{option.name}={value}", f"--explanation_method={other}") == 2
    assert f"belongs to {method.name}, which is not among the chosen: {other}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags, words",
    [
        ("--limit=0", "--limit: "),
        ("--limit=-1", "--limit: "),
        ("--limit=many", "--limit: "),
        ("--batch_size=0", "--batch_size: "),
        ("--seed=-1", "--seed: "),
        ("--alpha=2", "--alpha: "),
        ("--alpha=nan", "--alpha: "),
        ("--colormap=nonsense", "unknown colormap 'nonsense'"),
        ("--class_index=nonsense", "no class 'nonsense'; choose from: red, green, blue"),
        ("--class_index=3", "not among the model's 3 classes"),
        ("--layer_name=nonsense", "choose among 1: colours"),
        (
            "--explanation_method=RISE,VANILLA_GRADIENT --layer_name=colours",
            "no method that is chosen looks at a layer",
        ),
        ("--precision=float64", "invalid choice"),
        ("--faithfulness_protocol=mine", "invalid choice"),
        ("--display_type=both", "invalid choice"),
        ("--explanation_method=FOO", "choose from: GRADCAM, FEM"),
        ("--explanation_method=", "choose from: GRADCAM"),
        ("--explanation_method=,", "choose from: GRADCAM"),
        ("--class_names=a,b", "should hold the model's 3 classes; 2 were given"),
        ("--class_names=a,b,a", "twice"),
        ("--class_names=missing.txt", "cannot read"),
        ("--model_path=missing.keras", "no model file 'missing.keras'"),
        ("--model_name=Nope", "unknown model_name"),
        ("--test_gdfm_folder_path=missing", "--test_gdfm_folder_path: there is no file or folder"),
        ("--explanation_method=RISE --rise_n_masks=0", "RISE: n_masks and mask_size should be 1 or more"),
        ("--explanation_method=LIME --lime_positive_only=maybe", "true or false is wanted, not 'maybe'"),
        ("--explanation_method=LIME --lime_hide_color=1,2", "R,G,B of 0-255 is wanted"),
        ("--explanation_method=FEM --fem_k=two", "invalid float value: 'two'"),
    ],
)
def test_a_bad_flag_ends_the_run_before_anything_is_done(work, capsys, flags, words):
    assert run(*flags.split()) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
    assert "main__.py: error: " in error or error.startswith("main.py: error: ")  # of argparse, or our own
    assert not Path("results").exists()


def test_a_bad_flag_does_not_cost_the_run_that_was_to_be_overwritten(work, undrawn):
    run()
    before = Path("results/records.csv").read_bytes()
    for flag in ("--class_index=nonsense", "--explanation_method=RISE --rise_n_masks=0", "--batch_size=0"):
        assert run("--overwrite", *flag.split()) == 2
    assert run("--overwrite", images="missing") == 2
    assert Path("results/records.csv").read_bytes() == before and len(maps_of()) == 3


# --- bad folders and models ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "content, words", [(None, "there is no file or folder"), ((), "it is empty"), (("a.txt", "b.csv"), "2 other files")]
)
def test_a_folder_without_images_is_refused(work, capsys, content, words):
    for name in ("folder", *(f"folder/{name}" for name in content or ())) if content is not None else ():
        Path(name).write_text("x") if "." in name else Path(name).mkdir()
    assert run(images="folder") == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"not a model", "torn"], ids=["empty", "text", "torn"])
def test_a_damaged_model_is_refused(work, capsys, content):
    whole = Path("planted.keras").read_bytes()
    Path("bad.keras").write_bytes(whole[: len(whole) // 2] if content == "torn" else content)
    assert run("--model_path=bad.keras") == 2
    assert "cannot load the model 'bad.keras'" in capsys.readouterr().err


def test_nan_in_the_weights_is_refused(work, capsys):
    model = planted_model()
    model.get_layer("logits").set_weights([np.full((3, 3), np.nan), np.zeros(3)])
    model.save("nan.keras")
    assert run("--model_path=nan.keras") == 2
    assert "hold NaN or infinite values" in capsys.readouterr().err


def test_a_model_without_a_feature_map_ends_the_run_where_one_is_needed(work, undrawn, capsys):
    layers = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    keras.Sequential(layers).save("flat.keras")
    flags = "--model_path=flat.keras", "--class_names=red,green,blue"
    assert run(*flags) == 2
    assert "GRADCAM: a layer with a feature map" in capsys.readouterr().err and not Path("results").exists()
    assert run(*flags, "--explanation_method=RISE", *CHEAP[:1]) == 0


@pytest.mark.parametrize("library", ["cv2", "lime", "matplotlib"])
def test_a_missing_library_is_told_with_where_to_read_on(work, monkeypatch, capsys, library):
    for name in [name for name in sys.modules if name.split(".")[0] in (library, "lime_explainer")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)  # what `import` finds is an ImportError
    assert run("--explanation_method=LIME", *CHEAP[1:]) == 2
    error = capsys.readouterr().err
    assert library in error and "README.md" in error and "Traceback" not in error


# --- which model ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "flags, wanted",
    [
        ([], (None, None)),
        (["--model_name=ResNet"], ("ResNet", None)),
        (["--model_path=m.h5"], (None, "m.h5")),
        (["--test_images_folder_path=images"], ("ResNet", None)),
        (["--test_images_folder_path=images", "--model_name=VGG16"], ("VGG16", None)),
        (["--model_path=m.h5", "--model_name=VGG16"], ("VGG16", "m.h5")),
    ],
)
def test_the_model_is_the_one_asked_for(tmp_path, monkeypatch, flags, wanted):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    Image.fromarray(picture(RED)).save(tmp_path / "images" / "a.png")
    asked = []

    def load_classifier(model_name, *, model_path, **options):
        asked.append((model_name, model_path))
        raise ValueError("enough")

    monkeypatch.setattr(model_files, "load_classifier", load_classifier)
    assert main.main(flags) == 2
    assert asked == [wanted]


def test_the_run_says_which_model_it_took(work, undrawn, capsys):
    assert run() == 0
    assert "source: the model file planted.keras" in capsys.readouterr().out
    model_files.trained_model_path("ResNet").parent.mkdir()
    shutil.copy("planted.keras", model_files.trained_model_path("ResNet"))
    run("--model_name=ResNet", "--output_folder_path=other", "--layer_name=colours")
    printed = capsys.readouterr().out
    assert "which train.py wrote" in printed and "layer: colours" in printed and "score: softmax" in printed


@pytest.fixture
def demonstration(work, monkeypatch, model_file):
    """The density note under which a run without images draws its figures; the planted network is the embedded one."""
    monkeypatch.setattr(model_files, "_choose_file", lambda name, path: (model_file, "the embedded network"))
    notes = []
    monkeypatch.setattr(
        run_figures, "write_run_figures", lambda drawing: notes.append(drawing.style.density_note) or []
    )
    assert main.main(["--limit=2"]) == 0
    return notes


def test_without_images_the_demonstration_is_explained(demonstration):
    assert len(rows_of()) == 2
    drawn = {path.name for path in Path("demo_data/images_val").iterdir()}
    assert len(drawn) == constants.DEMO_LIMIT, "the gaze of the others is what that of the two is compared with"
    assert all(row["pcc"] or json.loads(row["undefined"])["pcc"] for row in rows_of())


def test_the_gaze_of_the_demonstration_is_called_simulated(demonstration):
    assert demonstration == ["simulated gaze"]


def test_a_legacy_model_file_will_do(work, undrawn):
    planted_model().save("planted.h5")
    assert run("--model_path=planted.h5", "--class_names=red,green,blue") == 0
    assert [row["predicted"] for row in rows_of()] == [row["class_name"] for row in rows_of()]


# --- a whole run ---------------------------------------------------------------------------------------------
def test_a_run_of_all_methods_writes_and_prints_everything(work, capsys):
    assert run("--test_gdfm_folder_path=gaze", "--explanation_method=ALL", *CHEAP, "--dpi=30") == 0
    printed, progress = capsys.readouterr()
    files = {path.relative_to("results").as_posix() for path in Path("results").rglob("*") if path.is_file()}
    fitting = [method for method in METHODS if method != "ATTENTION"]  # which explains models of its own kind
    assert "ATTENTION is left out" in progress
    each = [(method, stem) for method in fitting for stem in "012"]
    assert files >= {"run.json", "records.csv", "summary.csv", *(f"figures/{method}_grid.png" for method in fitting)}
    assert files >= {f"maps/{method}/{stem}.npy" for method, stem in each}
    judged = {f"curves/{row['method']}/{row['stem']}.csv" for row in rows_of() if row["status"] == "ok"}
    assert {name for name in files if name.startswith("curves/")} == judged, "a constant map has no order of pixels"
    assert len(judged) > len(each) / 2
    assert files >= {f"figures/LIME/{stem}_superpixels.png" for stem in "012"}
    assert not [name for name in files if "partial" in name]
    assert [(row["method"], row["image"]) for row in rows_of()] == [
        (method, name) for method in fitting for name in ("blue/2.png", "green/1.png", "red/0.png")
    ]
    maps = maps_of()
    for row in rows_of():
        assert row["label"] == row["class_name"] == row["predicted"]
        constant = utils.is_constant(maps[f"maps/{row['method']}/{row['stem']}.npy"])
        assert row["status"] == ("constant map" if constant else "ok")
        asked = names_against(DENSITY) + ["insertion_auc", "deletion_auc", "average_drop", "increase"]
        assert {metric for metric in asked if not row[metric]} == set(json.loads(row["undefined"]))
        assert not any(row[metric] for metric in names_against(POINTS)), "a density map is no fixation"
        assert len(json.loads(row["top_classes"])) == 3 and float(row["seconds"]) > 0
    table = [line.split() for line in printed.splitlines()]
    assert ["method", "images", "failed", "PCC", "↑", "SIM", "↑"] in [words[:7] for words in table]
    assert all([method, "3", "0"] in [words[:3] for words in table] for method in fitting)
    assert f"[{len(each)}/{len(each)}, 0:00 left]" in progress.splitlines()[-1]
    for row in rows_of("summary"):
        kept = [
            float(other["insertion_auc"])
            for other in rows_of()
            if other["method"] == row["method"] and other["insertion_auc"]
        ]
        assert int(row["insertion_auc_n"]) == len(kept)
        if kept:  # where every map is constant, there is no mean
            assert float(row["insertion_auc_mean"]) == pytest.approx(np.mean(kept), rel=1e-12)
        if len(kept) > 1:  # one value has no deviation
            assert float(row["insertion_auc_std"]) == pytest.approx(np.std(kept, ddof=1), rel=1e-12)
    red = np.load("results/maps/GRADCAM/0.npy")
    assert red.dtype == np.float32 and red.shape == (96, 96) and square(RED)[np.unravel_index(red.argmax(), red.shape)]


def test_baselines_people_and_a_report_stand_beside_the_method(work):
    """Fixations in a csv: density metrics by Wooding's map of them, point metrics by the points, PEOPLE the ceiling."""
    rng, lines = np.random.default_rng(0), ["image,observer,x,y,duration"]
    for name, colour in (("2.png", BLUE), ("1.png", GREEN), ("0.png", RED)):
        place = np.argwhere(square(colour))[:, ::-1]
        for observer in range(4):
            lines += [f"{name},{observer},{x},{y},200" for x, y in rng.permutation(place)[:5]]
    Path("fixations.csv").write_text("\n".join(lines))
    flags = "--test_fixations_path=fixations.csv", "--sigma_px=6", "--baselines"
    assert run(*flags, "--faithfulness=drop", "--report", "--dpi=30") == 0
    rows = {(row["method"], row["image"]): row for row in rows_of()}
    assert {method for method, _ in rows} == {"GRADCAM", *BASELINES} and len(rows) == 18
    scores = {row["method"]: float(row["nss_mean"]) for row in rows_of("summary")}
    assert scores["PEOPLE"] > scores["CENTRE"] and scores["GRADCAM"] > 1 > abs(scores["RANDOM"])
    assert all(row[metric] for row in rows.values() for metric in ("pcc", "auc_judd", "sauc", "average_drop"))
    assert all(rows[name, "red/0.png"]["passes"] in ("0.0", "1.0") for name in ("GRADCAM", *BASELINES))
    assert {row["metric"] for row in rows_of("differences")} >= {"pcc", "nss", "information_gain", "average_drop"}
    assert "PEOPLE" in Path("results/report.html").read_text() and Path("results/report.tex").is_file()
    maps = maps_of()
    assert run(*flags, "--faithfulness=drop,mufidelity", "--figures=none") == 0
    assert all(row["mufidelity"] or "mufidelity" in row["undefined"] for row in rows_of())
    assert all(np.array_equal(saliency_map, maps[name]) for name, saliency_map in maps_of().items())


def test_singles_are_written_one_by_one(work):
    assert run("--test_gdfm_folder_path=gaze", "--display_type=singles", "--limit=1", "--colormap=turbo") == 0
    wanted = {
        "saliency_map",
        "heatmap",
        "overlay",
        "density_map",
        "curves",
        "top_classes",
        "isolines",
        "isolines_superimposed",
        "hard_selection",
        "soft_selection",
    }
    assert {path.name for path in Path("results/figures/GRADCAM").iterdir()} == {f"2_{what}.png" for what in wanted}
    assert not list(Path("results/figures").glob("*.png"))


def test_show_opens_what_was_drawn(work, monkeypatch):
    shown = []
    monkeypatch.setattr(Image.Image, "show", lambda image: shown.append(image.size))
    assert run("--show", "--limit=1") == 0
    assert len(shown) == 1


@pytest.mark.parametrize(
    "rule, classes",
    [
        (None, ["blue", "green", "red", "blue"]),
        ("label", ["blue", "green", "red", None]),
        ("predicted", ["blue", "green", "red", "blue"]),
        ("1", ["green"] * 4),
        ("RED", ["red"] * 4),
    ],
)
def test_the_class_explained_is_the_one_asked_for(work, undrawn, capsys, rule, classes):
    save("images/sky/3.png", picture(BLUE))  # a label that the model does not have
    assert run(*([f"--class_index={rule}"] if rule else [])) == (1 if None in classes else 0)
    records = {row["image"]: row for row in rows_of()}
    names = "blue/2.png", "green/1.png", "red/0.png", "sky/3.png"
    assert [records[name]["class_name"] or None for name in names] == classes
    if None in classes:
        reason = "failed: the model has no class 'sky' for 'sky/3.png'"
        assert records["sky/3.png"]["status"].startswith(reason)
        assert f"GRADCAM sky/3.png: {reason}" in capsys.readouterr().out


@pytest.mark.parametrize("flags", ["--precision=bfloat16", "--batch_size=1", "--batch_size=7", "--alpha=0 --seed=5"])
def test_how_it_is_computed_does_not_change_what_comes_out(work, undrawn, flags):
    run("--output_folder_path=plain")
    assert run(*flags.split()) == 0
    for name, saliency_map in maps_of("plain").items():
        np.testing.assert_allclose(saliency_map, maps_of()[name], atol=0.02 * saliency_map.max())


def test_the_labs_protocol_takes_500_pixels_a_step(work, undrawn):
    assert run("--faithfulness_protocol=lab", "--limit=1") == 0
    fractions = np.loadtxt("results/curves/GRADCAM/2.csv", delimiter=",", skiprows=1)[:, 0]
    assert len(fractions) == -(-96 * 96 // 500) + 1 and fractions[1] == pytest.approx(500 / 96**2, rel=1e-4)


def test_a_run_by_the_labs_protocol_prints_and_writes_the_labs_table(work, undrawn, capsys):
    flags = ("--explanation_method=GRADCAM,RISE,LIME", "--test_gdfm_folder_path=gaze", *CHEAP, "--lime_hide_color=100")
    assert run("--protocol=lab", *flags) == 0
    assert all(set(np.unique(saliency_map)) <= {0, 1} for name, saliency_map in maps_of().items() if "LIME" in name)
    curves = next(Path("results/curves/GRADCAM").rglob("*.csv")).read_text().splitlines()
    assert len(curves) == 1 + 1 + -(-96 * 96 // 500), "a heading, the whole image, and steps of 500 pixels"
    settings = json.loads(Path("results/run.json").read_text())["settings"]
    assert settings["faithfulness_protocol"] == "lab"
    assert (settings["methods"]["RISE"]["n_masks"], settings["methods"]["RISE"]["threshold"]) == (40, 0.4)
    head, _, *lines = Path("results/lab_table.md").read_text(encoding="utf-8").splitlines()
    assert head == "| method | PCC | SIM | insertion | deletion |"
    for line, row in zip(lines, rows_of("summary"), strict=True):
        numbers = (f"{float(row[f'{name}_mean']):.3f} ± {float(row[f'{name}_std']):.3f}" for name in METRICS_OF_THE_LAB)
        assert line == f"| {' | '.join([row['method'], *numbers])} |"
    assert "the lab's table, mean ± sample deviation:" in capsys.readouterr().out
    assert Path("results/lab_table.tex").is_file()
    assert run(*flags) == 2, "maps of another protocol are never mixed in"


def test_a_limit_takes_images_in_turn_from_each_class(work, undrawn):
    for number in range(3, 6):
        save(f"images/blue/{number}.png", picture(BLUE, seed=number))
    assert run("--limit=3") == 0
    assert {row["label"] for row in rows_of()} == set(COLOURS)
    assert run("--limit=100000") == 0 and len(rows_of()) == 6


def test_paths_may_hold_blanks_and_accents(work):
    Path("mes modèles").mkdir()
    shutil.move("planted.keras", "mes modèles/réseau 1.keras")
    shutil.move("images", "été, à Bordeaux")
    flags = "--model_path=mes modèles/réseau 1.keras", "--output_folder_path=mes résultats/un"
    assert run(*flags, images="été, à Bordeaux") == 0
    assert len(rows_of(folder="mes résultats/un")) == 3


# --- images of every kind ------------------------------------------------------------------------------------
def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def test_images_of_any_mode_size_and_name_are_explained(work):
    shutil.rmtree("images")
    red = Image.fromarray(picture(RED))
    modes = {"grey.png": "L", "palette.gif": "P", "cmyk.jpg": "CMYK", "alpha.png": "RGBA", "bits.tif": "1"}
    for name, mode in modes.items():
        save(f"images/{name}", red.convert(mode))
    save("images/deep.png", Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16))
    save("images/one.png", red.resize((1, 1)))
    save("images/row.png", red.resize((300, 1)))
    save("images/turned.jpg", red.resize((80, 40)), exif=exif(6))
    for name in ("UPPER.PNG", "a b.Jpeg", "été, «1».png", 'new\nline, "quoted".png', "%s{0}$x$.png"):
        save(f"images/{name}", red)
    save("images/same.png", red)
    save("images/same.bmp", red)
    assert run("--explanation_method=GRADCAM,LIME", *CHEAP[1:]) == 0
    records = rows_of()
    assert len(records) == 2 * len(list(Path("images").iterdir())) == len(maps_of())
    assert len({(row["method"], row["stem"].casefold()) for row in records}) == len(records)
    assert {row["image"] for row in records} == {path.name for path in Path("images").iterdir()}
    predicted = {row["image"]: row["predicted"] for row in records}
    assert all(predicted[name] == "red" for name in ("cmyk.jpg", "alpha.png", "turned.jpg", "UPPER.PNG", "a b.Jpeg"))


def test_an_image_turned_by_its_camera_is_explained_upright(work, undrawn):
    # Held sideways, the density map of the upright picture would be of another shape.
    upright = Image.fromarray(picture(RED)).resize((40, 80))
    save("images/red/0.png", upright.transpose(Image.Transpose.ROTATE_90), exif=exif(6))
    save("gaze/red/0.png", Image.fromarray(np.where(square(RED), 255, 0).astype(np.uint8)).resize((40, 80)))
    assert run("--test_gdfm_folder_path=gaze") == 0
    [row] = [row for row in rows_of() if row["image"] == "red/0.png"]
    assert float(row["pcc"]) > 0.8


@pytest.fixture
def bad_images(work):
    whole = Path("images/red/0.png").read_bytes()
    Path("images/red/truncated.png").write_bytes(whole[: len(whole) // 2])
    Path("images/red/empty.png").write_bytes(b"")
    Path("images/red/text.jpg").write_text("not an image")
    save("images/red/huge.png", Image.new("1", (10_000, 10_000)))
    return {
        "red/truncated.png": "damaged or not readable",
        "red/empty.png": "the file is empty",
        "red/text.jpg": "not an image file",
        "red/huge.png": "more than the 50000000 pixels allowed",
    }


def test_a_bad_image_is_reported_recorded_and_left_out(bad_images, undrawn, capsys):
    assert run("--explanation_method=GRADCAM,FEM") == 1
    printed, progress = capsys.readouterr()
    for name, reason in bad_images.items():
        assert reason in statuses()[name] and statuses()[name].startswith("failed: ")
        for method in ("GRADCAM", "FEM"):
            assert any(line.startswith(f"{method} {name}: failed: ") for line in printed.splitlines())
            assert any(line.startswith(f"{method} {name}: ") and reason in line for line in progress.splitlines())
    assert sum(status == "ok" for status in statuses().values()) == 3 and len(maps_of()) == 6
    for row in rows_of("summary"):
        assert (row["images"], row["failed"], row["insertion_auc_n"]) == ("7", "4", "3")


def test_a_bad_image_that_was_mended_is_explained_by_the_same_command(bad_images, undrawn):
    assert run() == 1
    for name in bad_images:
        shutil.copy("images/red/0.png", f"images/{name}")
    assert run() == 0
    assert set(statuses().values()) == {"ok"} and len(rows_of()) == 7


def test_a_run_in_which_every_image_is_bad_still_reports(work, capsys):
    for path in Path("images").rglob("*.png"):
        path.write_bytes(b"no")
    assert run() == 1
    assert [(row["images"], row["failed"]) for row in rows_of("summary")] == [("3", "3")]
    assert "GRADCAM  3       3" in capsys.readouterr().out and not maps_of()


def test_density_maps_that_are_not_right(work, undrawn, capsys):
    names = ("missing", "smaller", "constant", "rgb", "coloured", "turned", "broken")
    for seed, name in enumerate(names):
        save(f"images/red/{name}.png", Image.fromarray(picture(RED, seed=seed)).resize((96, 48)))
    gaze = Image.fromarray(np.where(square(RED), 255, 0).astype(np.uint8)).resize((96, 48))
    save("gaze/red/smaller.png", gaze.resize((48, 24)))
    save("gaze/red/constant.png", Image.new("L", (96, 48), 80))
    save("gaze/red/rgb.png", gaze.convert("RGB"))
    save("gaze/red/coloured.png", Image.fromarray(picture(RED)).resize((96, 48)))
    save("gaze/red/turned.png", gaze.resize((48, 96)))
    Path("gaze/red/broken.png").write_bytes(b"no")
    assert run("--test_gdfm_folder_path=gaze") == 1
    rows = {Path(row["image"]).stem: row for row in rows_of()}
    assert all(row["status"] == "ok" and row["insertion_auc"] for row in rows.values())
    assert {name for name, row in rows.items() if row["pcc"]} == {"0", "1", "2", "smaller", "rgb"}
    reasons = {name: json.loads(row["undefined"]) for name, row in rows.items()}
    assert reasons["missing"] == {} and reasons["constant"]["pcc"] == "ground_truth is constant"
    printed = capsys.readouterr().out
    for name, reason in (("coloured", "a density map is gray"), ("turned", "not the same shape"), ("broken", "read")):
        assert reason in reasons[name]["density_map"] and reasons[name]["density_map"] in printed
    [summary] = rows_of("summary")
    assert [summary[key] for key in ("images", "failed", "pcc_n", "insertion_auc_n")] == ["10", "0", "5", "10"]
    assert "(n=5)" in printed


# --- stopped and continued -----------------------------------------------------------------------------------


def test_the_same_command_again_computes_nothing_and_says_the_same(work, undrawn, counted, capsys):
    assert run() == 0
    first, table = Path("results/records.csv").read_bytes(), capsys.readouterr().out
    counted.clear()
    assert run() == 0
    assert counted == [] and Path("results/records.csv").read_bytes() == first and capsys.readouterr().out == table


def test_a_second_method_in_a_finished_folder_keeps_the_first(work, undrawn, counted):
    run()
    first, maps = rows_of(), maps_of()
    counted.clear()
    assert run("--explanation_method=RISE", *CHEAP[:1]) == 0
    assert counted == ["RISE"] * 3 and rows_of()[:3] == first
    assert [row["method"] for row in rows_of("summary")] == ["GRADCAM", "RISE"]
    assert all(np.array_equal(saliency_map, maps_of()[name]) for name, saliency_map in maps.items())


def test_a_map_that_was_deleted_is_computed_again(work, undrawn, counted):
    run()
    maps = maps_of()
    Path("results/maps/GRADCAM/1.npy").unlink()
    counted.clear()
    assert run() == 0 and counted == ["GradCAM"] * 3 and len(rows_of()) == 3, "in the company it was made in"
    np.testing.assert_array_equal(maps_of()["maps/GRADCAM/1.npy"], maps["maps/GRADCAM/1.npy"])


@pytest.mark.parametrize(
    "flags",
    [
        "--seed=1",
        "--class_index=predicted",
        "--faithfulness_protocol=lab",
        "--gradcam_variant=lab",
        "--precision=bfloat16",
        "--test_gdfm_folder_path=gaze",
        "--class_names=blue,green,red",
    ],
)
def test_a_run_with_other_settings_is_not_mixed_in(work, undrawn, capsys, flags):
    run()
    before = Path("results/records.csv").read_bytes()
    assert run(flags) == 2
    error = capsys.readouterr().err
    assert "holds a run with other settings" in error and "--overwrite" in error
    assert Path("results/records.csv").read_bytes() == before
    assert run(flags, "--overwrite") == 0 and len(rows_of()) == 3


def test_other_weights_images_or_names_under_the_same_path_are_not_mixed_in(work, undrawn, monkeypatch):
    Path("names.txt").write_text("red\ngreen\nblue\n")
    folder = f"--output_folder_path={work / 'results'}"
    flags = "--class_names=names.txt", folder
    assert run(*flags) == 0
    Path("names.txt").write_text("green\nred\nblue\n")
    assert run(*flags) == 2
    Path("names.txt").write_text("red\ngreen\nblue\n")
    shutil.copy("planted.keras", "kept.keras")
    model = planted_model(scale=70.0)
    model.save("planted.keras")
    assert run(*flags) == 2
    shutil.move("kept.keras", "planted.keras")
    Path("elsewhere").mkdir()
    for name in ("images", "planted.keras", "names.txt"):
        source, target = Path(name), Path("elsewhere", name)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    monkeypatch.chdir("elsewhere")
    assert run(*flags) == 2, "another folder of the same name"
    assert run(*flags, images="../images") == 0, "the same folder by another name"


def test_what_does_not_change_a_number_may_change(work, undrawn, counted):
    run()
    counted.clear()
    assert run("--colormap=turbo", "--alpha=0.3", "--batch_size=2", "--display_type=singles", "--limit=2") == 0
    assert counted == []


def test_overwriting_leaves_the_users_own_files(work, undrawn):
    run()
    theirs = [Path("results", name) for name in ("notes.txt", "maps/mine.npy", "figures/GRADCAM/mine.png")]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    assert run("--overwrite", "--seed=3", "--limit=1") == 0
    assert all(path.read_text() == "mine" for path in theirs)
    assert len(rows_of()) == 1 and [path.name for path in Path("results/maps/GRADCAM").iterdir()] == ["2.npy"]


@pytest.mark.parametrize("stop_at", [1, 3])
def test_ctrl_c_leaves_a_run_that_goes_on(work, undrawn, counted, monkeypatch, capsys, stop_at):
    flags = "--explanation_method=GRADCAM,RISE", *CHEAP[:1]
    run(*flags, "--output_folder_path=unbroken")
    original, seen = RISE.obtain_prediction_scores, []

    def interrupted(self, *args):
        seen.append(1)
        if len(seen) == stop_at:
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(RISE, "obtain_prediction_scores", interrupted)
    assert run(*flags) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    assert len(rows_of()) == 3 + stop_at - 1
    monkeypatch.setattr(RISE, "obtain_prediction_scores", original)
    counted.clear()
    assert run(*flags) == 0
    assert counted == ["RISE"] * (4 - stop_at)
    assert_same_run("unbroken", "results")


@pytest.mark.parametrize("suffix", [".npy", "records.csv", "run.json", "summary.csv"])
def test_a_full_disk_is_told_in_one_line_and_the_run_goes_on_later(work, undrawn, monkeypatch, capsys, suffix):
    run("--output_folder_path=unbroken")
    original, written = os.replace, []

    def replace(source, target):
        if str(target).endswith(suffix) and not (suffix == ".npy" and len(written) < 1):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        written.append(target)
        return original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    assert run() == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("main.py: error: cannot write (No space left on device): ") and suffix in error
    assert not list(Path("results").rglob(".partial_*"))
    monkeypatch.setattr(os, "replace", original)
    assert run() == 0
    assert_same_run("unbroken", "results")


@pytest.mark.parametrize("target", ["file", "file/below"])
def test_an_output_folder_that_cannot_be_one_is_refused(work, capsys, target):
    Path("file").write_text("mine")
    assert run(f"--output_folder_path={target}") == 2
    error = capsys.readouterr().err.splitlines()[0]
    assert (
        error.startswith("main.py: error: argument --output_folder_path: ")
        and "file" in error
        and Path("file").read_text() == "mine"
    )


def test_a_killed_run_ends_like_an_unbroken_one_and_is_quiet(work, undrawn, counted):
    """The one test of a real process: killed half-way, torn, continued; nothing but our own lines on the screen."""
    for number in range(3, 9):
        save(f"images/blue/{number}.png", picture(BLUE, seed=number))
    flags = ["--explanation_method=GRADCAM,RISE", "--rise_n_masks=1500", "--test_gdfm_folder_path=gaze"]
    command = [sys.executable, str(ROOT / "main.py"), "--model_path=planted.keras", "--test_images_folder_path=images"]
    records = Path("results/records.csv")
    with (
        open("screen.txt", "w") as screen,
        subprocess.Popen([*command, *flags], stdout=subprocess.DEVNULL, stderr=screen) as process,
    ):
        end = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < end:
            if records.is_file() and records.read_bytes().count(b"\r\n") > 10:  # the head, 8 of GRADCAM, 2 of RISE
                break
            time.sleep(0.005)
        process.kill()
    screen = Path("screen.txt").read_text().splitlines()
    assert screen and all(line.startswith("[") and "/18" in line for line in screen), screen
    content = records.read_bytes()
    assert 10 < content.count(b"\r\n") < 19, "it was to be killed half-way"
    records.write_bytes(content[:-40])  # killed while the last record was being written
    kept = {path: path.stat().st_mtime_ns for path in Path("results/maps").rglob("*.npy")}
    n_kept = records.read_bytes().count(b"\r\n") - 1
    assert run(*flags) == 0
    assert len(counted) == 18 - n_kept
    assert sum(path.stat().st_mtime_ns == time_ns for path, time_ns in kept.items()) == n_kept
    assert run(*flags, "--output_folder_path=unbroken") == 0
    assert_same_run("unbroken", "results")
    assert len(rows_of()) == 18


def test_an_engine_other_than_tensorflow_is_a_setting_of_the_run_and_is_described(work, undrawn, capsys, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(work))
    flags = "--explanation_method=RISE", "--rise_n_masks=8", "--faithfulness=none"
    assert run(*flags, "--engine=openvino") == 0
    about = json.loads(Path("results/run.json").read_text())
    assert "of TensorFlow's outputs (given)" in about["model"]["engine"]
    assert run(*flags) == 2
    assert "engine" in capsys.readouterr().err
    assert run(*flags, "--engine=openvino") == 0
