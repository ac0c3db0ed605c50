"""Settings: flags are read once; where no folder is named the embedded data is meant."""

from pathlib import Path

import pytest

import main
from explainers.registry import METHODS
from network.worker_pool import ClusterSettings
from pipeline import flags
from pipeline.settings import FigureSettings, read_figure_settings, read_run_settings


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A folder of that name in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photographs").mkdir()


def read(*argv):
    return read_run_settings(flags.build_run_parser("main.py", "Explain.").parse_args(argv))


def test_without_images_the_embedded_data_and_network_are_meant():
    settings = read()
    assert settings.data.is_embedded and settings.model.model_name is None
    assert settings.data.part_masks == Path("demo_data/part_masks")
    assert set(settings.data.paths.values()) == {None}


def test_images_without_a_model_are_explained_by_the_resnet_of_imagenet(photographs):
    settings = read("--test_images_folder_path=photographs")
    assert not settings.data.is_embedded and settings.data.part_masks is None
    assert settings.model.model_name == "ResNet"
    assert settings.data.paths["test_images_folder_path"] == str(Path("photographs").resolve())


@pytest.mark.parametrize("flag, name", [("--model_path=m.keras", None), ("--model_name=VGG16", "VGG16")])
def test_a_model_that_is_named_is_the_one(photographs, flag, name):
    assert read("--test_images_folder_path=photographs", flag).model.model_name == name


def test_an_option_that_is_given_prevails_over_the_preset_and_the_preset_over_the_default():
    lime = METHODS["LIME"]
    preset = read("--explanation_method=LIME", "--lime_preset=assignment").methods[lime]
    assert (preset["hide_color"], preset["num_samples"]) == (0.0, 1000)
    given = read("--explanation_method=LIME", "--lime_preset=assignment", "--lime_hide_color=7").methods[lime]
    assert (given["hide_color"], given["num_samples"]) == (7.0, 1000)
    assert read("--explanation_method=LIME").methods[lime]["hide_color"] is None


@pytest.mark.parametrize("flag", ["--lime_preset=assignment", "--lime_num_samples=8", "--rise_n_masks=8"])
def test_a_flag_of_a_method_that_is_not_chosen_is_refused(flag):
    with pytest.raises(ValueError, match="which is not among the chosen: FEM"):
        read("--explanation_method=FEM", flag)


# --- the lab's protocol ------------------------------------------------------------------------------------------
def read_main(*argv):
    import main

    return main.read_settings(main.build_parser().parse_args(argv)).run


def test_the_labs_protocol_sets_all_of_its_choices():
    settings = read_main("--explanation_method=GRADCAM,FEM,RISE,LIME", "--protocol=lab")
    options = {method.name: chosen for method, chosen in settings.methods.items()}
    assert options["GRADCAM"] == {"variant": "lab"}
    assert (
        options["RISE"] | {"n_masks": 200, "threshold": 0.4, "variant": "lab", "border": "reflect"} == options["RISE"]
    )
    assert options["LIME"]["variant"] == "mask"
    assert (settings.faithfulness_protocol, settings.data.limit) == ("lab", 10)


def test_single_flags_win_over_the_protocol():
    flags = ("--rise_n_masks=50", "--gradcam_variant=paper", "--faithfulness_protocol=black", "--limit=3")
    settings = read_main("--explanation_method=GRADCAM,RISE,LIME", "--protocol=lab", "--lime_preset=assignment", *flags)
    options = {method.name: chosen for method, chosen in settings.methods.items()}
    assert options["GRADCAM"]["variant"] == "paper"
    assert (options["RISE"]["n_masks"], options["RISE"]["threshold"]) == (50, 0.4)
    assert (options["LIME"]["variant"], options["LIME"]["hide_color"]) == ("mask", 0.0)
    assert (settings.faithfulness_protocol, settings.data.limit) == ("black", 3)


def test_the_papers_protocol_is_what_is_done_without_it():
    methods = "--explanation_method=GRADCAM,RISE,LIME"
    paper, usual = read_main(methods, "--protocol=paper"), read_main(methods)
    assert paper.methods == usual.methods and paper.data == usual.data
    assert paper.faithfulness_protocol == usual.faithfulness_protocol == "rise"
    assert all(
        chosen == {option.name: option.default for option in method.options} for method, chosen in usual.methods.items()
    )


def test_the_features_of_the_assignment_are_a_spelling_of_limes():
    lime = METHODS["LIME"]
    for flag in ("--lime_num_features=7", "--lime_num_lime_features=7"):
        assert read("--explanation_method=LIME", flag).methods[lime]["num_lime_features"] == 7


def test_settings_cannot_be_changed():
    with pytest.raises(AttributeError):
        read().seed = 1


def test_a_path_that_is_none_is_told_with_its_flag():
    with pytest.raises(ValueError, match="--test_images_folder_path: there is no file or folder"):
        read("--test_images_folder_path=nowhere")


def test_a_link_to_itself_is_told_with_its_flag(tmp_path):
    ring = tmp_path / "ring"
    try:
        ring.symlink_to(ring)
    except OSError:
        pytest.skip("links need rights of their own here")
    with pytest.raises(ValueError, match="--test_images_folder_path: there is no file or folder"):
        read(f"--test_images_folder_path={ring}")


@pytest.mark.parametrize(
    "given, words",
    [
        (["--sigma_px=20", "--test_images_folder_path=photographs"], "--sigma_px has no effect without fixations"),
        (["--fixations_unit=pixels"], "--fixations_unit has no effect without fixations"),
        (
            ["--faithfulness_protocol=lab", "--faithfulness=drop"],
            "--faithfulness_protocol has no effect without the curves",
        ),
        (["--colormap=jet", "--figures=none"], "--colormap has no effect where --figures=none"),
        (["--display_type=grid", "--figures=none"], "--display_type has no effect where --figures=none"),
        (["--trust_model"], "--trust_model has no effect without a file of --model_path"),
        (["--custom_objects=layers.py"], "--custom_objects has no effect without a file of --model_path"),
        (["--check_model", "--report"], "--report has no effect with --check_model"),
    ],
)
def test_a_flag_that_was_typed_and_has_no_effect_is_refused(given, words, photographs):
    with pytest.raises(ValueError, match=words):
        main.read_settings(main.build_parser().parse_args(given))


def test_what_was_typed_is_no_flag_of_the_run():
    assert "given" not in read("--seed=3").flags and read("--seed=3").flags["seed"] == 3


# --- figures -------------------------------------------------------------------------------------------------
def read_figures(*argv):
    return read_figure_settings(main.build_parser().parse_args(argv))


def test_figures_are_a_number_of_images_all_or_none():
    assert read_figures() == FigureSettings(12, ("png",), 120)
    assert read_figures("--figures=5", "--figure_format=pdf, SVG", "--dpi=300") == FigureSettings(
        5, ("pdf", "svg"), 300
    )
    assert [read_figures(f"--figures={word}").n_images for word in ("all", "none")] == [None, 0]


@pytest.mark.parametrize("flag", ["--figures=0", "--figures=-3", "--figures=some", "--figure_format=gif", "--dpi=5"])
def test_what_is_no_number_and_no_format_is_refused(flag, capsys):
    with pytest.raises(SystemExit):
        read_figures(flag)
    assert flag.split("=")[0] in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--dpi=300", "--figure_format=pdf", "--show"])
def test_a_flag_of_figures_without_figures_is_refused(flag):
    with pytest.raises(ValueError, match=f"{flag.split('=')[0]} has no effect"):
        read_figures("--figures=none", flag)


@pytest.mark.parametrize(
    "given, wanted",
    [
        ([], None),
        (["--cluster=local"], ClusterSettings("local")),
        (["--cluster=auto", "--cluster_cores=4", "--cluster_gpus=0.5"], ClusterSettings("auto", 4, 0.5)),
        (["--cluster=ray://head:10001", "--cluster_workers=3"], ClusterSettings("ray://head:10001", workers=3)),
    ],
)
def test_a_cluster_is_where_it_is_asked_for(given, wanted):
    assert read(*given).cluster == wanted


def test_what_each_process_may_use_needs_a_cluster():
    with pytest.raises(ValueError, match="--cluster_cores has no effect without --cluster"):
        read("--cluster_cores=2")


def test_only_the_check_by_randomisation_goes_to_many_processes():
    import sanity

    argv = ["--cluster=local", "--check=input_shift"]
    with pytest.raises(ValueError, match="--cluster goes with --check=randomisation"):
        sanity.read_settings(sanity.build_parser().parse_args(argv))


@pytest.mark.parametrize(
    "text", ["s3://bucket/images", "https://host/a.tar", "shards-{000..002}.tar", "all-*.tfrecord"]
)
def test_images_at_an_address_or_in_shards_are_looked_for_when_they_are_read(text):
    paths = read(f"--test_images_folder_path={text}").data.paths
    assert paths["test_images_folder_path"] == (text if "://" in text else str(Path(text).resolve()))
