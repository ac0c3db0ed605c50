"""The settings of a run: parsed flags become these once, in the command; behind it nobody sees an argparse.Namespace.

Whether the embedded data and the embedded network are meant is decided here: where no folder of images is named.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import constants
from data.addresses import is_camera, is_source, is_url
from explainers.registry import BASELINES, METHODS, Method, choose_methods, means_all
from network.worker_pool import ClusterSettings

NO_FIXATIONS = "without fixations, --test_fixations_path"
LIME_PRESETS = {  # name -> options; 'assignment': of the LIME assignment
    "assignment": {
        "top_labels": 1,
        "hide_color": 0.0,
        "num_lime_features": 100_000,
        "num_samples": 1000,
        "distance_metric": "cosine",
    }
}
PROTOCOLS = {  # name -> options by method, protocol of insertion and deletion, images
    "paper": ({}, "rise", None),
    "lab": (
        {
            "GRADCAM": {"variant": "lab"},
            "RISE": {"n_masks": 200, "threshold": 0.4, "variant": "lab", "border": "reflect"},
            "LIME": {"variant": "mask"},
        },
        "lab",
        10,
    ),
}


@dataclass(frozen=True)
class ModelSettings:
    """Which classifier: the fields are `network.model_files.load_classifier`'s."""

    model_name: str | None = None
    model_path: str | None = None
    class_names: str | None = None
    layer_name: str | None = None
    preprocessing: str = "auto"
    score: str = "auto"
    output_name: str | None = None
    trust_model: bool = False
    custom_objects: str | None = None
    precision: str = "float32"
    batch_size: int | str = constants.BATCH_SIZE  # or constants.AUTO
    engine: str = constants.ENGINES[0]


@dataclass(frozen=True)
class DataSettings:
    """Which images, and where people looked in them; paths as the user gave them. images: None: the embedded data."""

    images: str | None = None
    density_maps: str | None = None
    fixations: str | None = None
    fixations_unit: str | None = None
    sigma_px: float | None = None
    limit: int | None = None
    exif: str = "turn"
    max_megapixels: int = constants.MAX_IMAGE_PIXELS // 10**6
    frame_step: int | None = None

    @property
    def reading(self):
        """The `data.images.Reading` of photographs."""
        return choose_reading(self.exif, self.max_megapixels)

    @property
    def is_embedded(self) -> bool:
        """Whether the images are those of the embedded data."""
        return self.images is None

    @property
    def part_masks(self) -> Path | None:
        """The folder of masks of the embedded data, <part>/<image>; None for other data."""
        return Path(constants.DEMO_FOLDER) / "part_masks" if self.is_embedded else None

    @property
    def paths(self) -> dict[str, str | None]:
        """The whole paths by their flags: two working directories may have a folder of one name."""
        given = {
            "test_images_folder_path": self.images,
            "test_gdfm_folder_path": self.density_maps,
            "test_fixations_path": self.fixations,
        }
        as_given = {flag for flag, path in given.items() if path is None or is_url(path) or is_camera(path)}
        return {flag: path if flag in as_given else os.path.realpath(path) for flag, path in given.items()}


@dataclass(frozen=True)
class FigureSettings:
    """Which figures are drawn, and as what files.

    n_images: so many images of each method, and of the rest the best and the worst; None: all. formats: of
    `constants.FIGURE_FORMATS`. dpi: pixels per inch.
    """

    n_images: int | None = constants.N_FIGURES
    formats: tuple[str, ...] = ("png",)
    dpi: int = constants.FIGURE_DPI


@dataclass(frozen=True)
class RunSettings:
    """What main.py, and the commands that explain as it does, were asked for.

    methods: each with its options, baselines among them. class_rule: as `prepare.choose_class` takes it.
    leaves_out: whether a method that cannot explain the model is left out, rather than refused.
    storage: 'files' or 'columns', the form of a new folder; None: by the number of images.
    cluster: the processes that explain, None: this one.
    flags: all flags by name, for run.json.
    """

    model: ModelSettings
    data: DataSettings
    methods: dict[Method, dict]
    class_rule: str
    seed: int
    output_folder: Path
    overwrite: bool
    leaves_out: bool
    flags: dict
    faithfulness: tuple[str, ...] = ()
    faithfulness_protocol: str = "rise"
    colormap: str = constants.COLORMAP
    alpha: float = constants.ALPHA
    show: bool = False
    boxes: str | None = None
    figures: FigureSettings = FigureSettings()  # noqa: RUF009 it cannot be changed
    storage: str | None = None
    cluster: ClusterSettings | None = None

    @cached_property
    def names(self) -> list[str]:
        """The methods' names."""
        return [method.name for method in self.methods]


def choose_reading(exif: str, max_megapixels: int):
    """The `data.images.Reading` of the flags of `flags.add_reading_flags`."""
    from data.images import Reading

    return Reading(exif == "turn", max_megapixels * 10**6)


def read_model_settings(args: argparse.Namespace) -> ModelSettings:
    """The model of the flags of `add_model_flags`: ResNet for images without one; ValueError for an unknown name."""
    from utils import find_model_name  # a mistyped name is told before a network is loaded

    if args.model_path is None:
        refuse(args, ["trust_model", "custom_objects"], "without a file of --model_path")
    names_no_model = args.model_name is None and args.model_path is None
    has_images = getattr(args, "test_images_folder_path", None) is not None
    model_name = "ResNet" if names_no_model and has_images else args.model_name and find_model_name(args.model_name)
    return ModelSettings(
        model_name,
        args.model_path,
        args.class_names,
        getattr(args, "layer_name", None),
        args.preprocessing,
        args.score,
        args.output_name,
        args.trust_model,
        args.custom_objects,
        args.precision,
        args.batch_size,
        getattr(args, "engine", constants.ENGINES[0]),
    )


def read_data_settings(args: argparse.Namespace) -> DataSettings:
    """The data of the flags of `add_data_flags` and, where the command has them, of `add_gaze_flags`."""
    flags = ("test_gdfm_folder_path", "test_fixations_path", "fixations_unit", "sigma_px")
    gaze = (getattr(args, flag, None) for flag in flags)
    reading = args.limit, args.exif, args.max_megapixels, args.frame_step
    settings = DataSettings(args.test_images_folder_path, *gaze, *reading)
    if settings.frame_step and settings.is_embedded:
        raise ValueError("--frame_step is of films: give one as --test_images_folder_path")
    if settings.fixations is None:
        refuse(args, ["fixations_unit"] if settings.is_embedded else ["fixations_unit", "sigma_px"], NO_FIXATIONS)
    for flag, path in settings.paths.items():
        is_elsewhere = flag == "test_images_folder_path" and path and (is_source(path) or is_camera(path))
        if path is not None and not Path(path).exists() and not is_elsewhere:
            raise ValueError(f"--{flag}: there is no file or folder '{path}'")
    return settings


def list_flags(args: argparse.Namespace) -> dict:
    """All flags by name, as run.json keeps them."""
    return {name: value for name, value in vars(args).items() if name != "given"}


def refuse(args: argparse.Namespace, names: Sequence[str], where: str) -> None:
    """ValueError for the first of these flags that was typed: it has no effect there."""
    for name in names:
        if name in args.given:
            raise ValueError(f"--{name} has no effect {where}: leave it out")


def read_run_settings(args: argparse.Namespace) -> RunSettings:
    """The run of the flags of `build_run_parser`; ValueError for flags that do not go together."""
    if "curves" not in getattr(args, "faithfulness", ("curves",)):
        refuse(args, ["faithfulness_protocol"], "without the curves of --faithfulness")
    if getattr(args, "figures", None) == 0 and not getattr(args, "report", False):
        refuse(args, ["colormap", "alpha", "display_type", "rank_by"], "where --figures=none")
    baselines = BASELINES.values() if getattr(args, "baselines", False) else ()
    _, faithfulness_protocol, limit = PROTOCOLS[getattr(args, "protocol", "paper")]
    data = read_data_settings(args)
    return RunSettings(
        model=read_model_settings(args),
        data=data if data.limit else replace(data, limit=limit),
        methods={**read_methods(args), **{method: {} for method in baselines}},
        class_rule=args.class_index,
        seed=args.seed,
        output_folder=Path(args.output_folder_path),
        overwrite=args.overwrite,
        leaves_out=means_all(args.explanation_method),
        flags=list_flags(args),
        faithfulness=tuple(getattr(args, "faithfulness", ())),
        faithfulness_protocol=getattr(args, "faithfulness_protocol", None) or faithfulness_protocol,
        colormap=args.colormap,
        alpha=args.alpha,
        show=args.show,
        boxes=getattr(args, "boxes", None),
        figures=read_figure_settings(args),
        storage=args.storage,
        cluster=read_cluster_settings(args),
    )


def read_figure_settings(args: argparse.Namespace) -> FigureSettings:
    """The figures of `add_figure_format_flags`, and of --figures where a command has it; ValueError for a flag without
    effect."""
    usual = FigureSettings()
    given = {name: getattr(args, name) for name in ("figure_format", "dpi")}
    n_images = getattr(args, "figures", usual.n_images)
    if n_images == 0:
        refuse(args, ["figure_format", "dpi", "show"], "where --figures=none")
    return FigureSettings(n_images, given["figure_format"] or usual.formats, given["dpi"] or usual.dpi)


def read_cluster_settings(args: argparse.Namespace) -> ClusterSettings | None:
    """The processes of the flags of `add_cluster_flags`; None: this one alone. ValueError for one without effect."""
    given = {name: getattr(args, f"cluster_{name}") for name in ("cores", "gpus", "workers")}
    given = {name: value for name, value in given.items() if value is not None}
    if args.cluster is None:
        if given:
            raise ValueError(f"--cluster_{next(iter(given))} has no effect without --cluster")
        return None
    return ClusterSettings(args.cluster, **given)


def read_methods(args: argparse.Namespace) -> dict[Method, dict]:
    """The chosen methods with their options; ValueError for a flag of a method that is not chosen."""
    chosen = choose_methods(args.explanation_method)
    names = ", ".join(method.name for method in chosen)
    presets, *_ = PROTOCOLS[getattr(args, "protocol", "paper")]
    if args.lime_preset:
        presets = {**presets, "LIME": {**presets.get("LIME", {}), **LIME_PRESETS[args.lime_preset]}}
    if args.lime_preset and METHODS["LIME"] not in chosen:
        raise ValueError(f"--lime_preset belongs to LIME, which is not among the chosen: {names}")
    options = {}
    for method in METHODS.values():
        given = {option.name: getattr(args, method.flag(option)) for option in method.options}
        given = {name: value for name, value in given.items() if value is not None}
        if given and method not in chosen:
            flag = f"--{method.name.lower()}_{next(iter(given))}"
            raise ValueError(f"{flag} belongs to {method.name}, which is not among the chosen: {names}")
        usual = {option.name: option.default for option in method.options}
        options[method] = {**usual, **presets.get(method.name, {}), **given}
    return {method: options[method] for method in chosen}
