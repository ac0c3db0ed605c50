"""Where does the network look? Explains a folder of images, compares with gaze, measures, and shows it.

    python main.py
    python main.py --test_images_folder_path=film.mp4                      frame by frame, and written as a film
    python main.py --explanation_method=GRADCAM,RISE --model_name=ResNet --test_images_folder_path=images_val \\
                   --test_gdfm_folder_path=gazefixationsdensitymaps

Without flags it explains the embedded demonstration with the embedded network. One image goes this way:

    flags -> settings               pipeline/command_line.py, pipeline/flags.py, pipeline/settings.py
    load_dataset, load_classifier   pipeline/run.py, over data/ and network/
    examine                         pipeline/run.py: for every image and method, in pipeline/explain.py,
                                        prepare_images, of pipeline/prepare.py
                                        METHODS[name].load()(...).compute_saliency_map()
                                        Scorer.score, over evaluate.py
                                        Results.add
    tables, figures                 pipeline/summary.py, pipeline/run_figures.py over representations.py

Exit code: 0; 1 when an image could not be explained; 2 for a flag or an input that stops the run; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from constants import N_EXTREMES, N_FIGURES
from explainers.registry import BASELINES, METHODS
from output.progress import print_table
from pipeline import flags
from pipeline.command_line import in_range, run_command
from pipeline.settings import RunSettings, read_run_settings, refuse


@dataclass(frozen=True)
class MainSettings:
    """What main.py was asked for besides the run itself.

    display_type: 'grid' or 'singles'. top_k, classes: further classes of each image, see `top_classes.read_rule`.
    animates: whether maps are shown as they come about.
    only_checks: whether the model is described and nothing explained.
    """

    run: RunSettings
    display_type: str
    top_k: int | None
    classes: str | None
    writes_report: bool
    animates: bool = False
    only_checks: bool = False


def build_parser() -> argparse.ArgumentParser:
    """The flags; a method's own stand under its name, and are None unless given."""
    parser = flags.build_run_parser("main.py", "Explain an image classifier on a folder of images.")
    flags.find_flag_group(parser, "model").add_argument(
        "--check_model",
        action="store_true",
        help="say how the model is understood and what each method will say of it (default: explain the images)",
    )
    flags.add_protocol_flag(parser)
    metrics = flags.add_faithfulness_flags(parser)
    metrics.add_argument(
        "--baselines",
        action="store_true",
        help=f"also the rows {', '.join(BASELINES)}: what chance, a prior and people score (default: methods alone)",
    )
    further = parser.add_argument_group("figures and report")
    further.add_argument(
        "--display_type", choices=("grid", "singles"), default="grid", help="pages, or files (default: %(default)s)"
    )
    flags.add_n_figures_flag(
        further, N_FIGURES, f"the first N images of each method, and the {N_EXTREMES} best and worst of the others"
    )
    further.add_argument(
        "--report", action="store_true", help="also report.html and report.tex, as report.py makes them (default: no)"
    )
    classes = further.add_mutually_exclusive_group()
    classes.add_argument(
        "--top_k",
        type=in_range(int, 1),
        metavar="K",
        help="also the maps of the K most probable classes, a figure per image (default: one class)",
    )
    classes.add_argument("--classes", metavar="NAMES", help="these classes instead, by commas (default: one class)")
    flags.add_boxes_flag(
        further,
        "whose class probability is measured as OCCLUSION fills each, and, with --top_k or --classes, the share of a "
        "map's energy in it",
        "--mute_boxes",
    )
    further.add_argument(
        "--animate",
        action="store_true",
        help="also a .gif of each map that is drawn, as it comes about: RISE's running mean over its masks, integrated "
        "gradients along their path; each is explained once more for it (default: no)",
    )
    return parser


def read_settings(args: argparse.Namespace) -> MainSettings:
    """The settings of these flags; ValueError for flags that do not go together."""
    if args.check_model:
        of_maps = ["report", "display_type", "top_k", "classes", "animate", "boxes", "baselines"]
        refuse(args, of_maps, "with --check_model")
    run = read_run_settings(args)
    if run.boxes and METHODS["OCCLUSION"] not in run.methods and not (args.top_k or args.classes):
        raise ValueError(
            f"--boxes belongs to OCCLUSION, which is not among the chosen: {', '.join(run.names)}; or to --top_k or "
            "--classes"
        )
    return MainSettings(run, args.display_type, args.top_k, args.classes, args.report, args.animate, args.check_model)


def run(settings: MainSettings) -> int:
    """One run from settings to figures; the exit code."""
    import representations
    import utils

    representations.check_colormap(settings.run.colormap)
    utils.load_tensorflow(with_extras=False)

    from data.boxes import match_boxes, read_boxes
    from data.films import film_of
    from pipeline import animations, film_maps, model_check, muted_boxes, run_figures, summary, top_classes
    from pipeline import run as runs

    if settings.animates:
        animations.check(settings.run)
    boxes = read_boxes(settings.run.boxes) if settings.run.boxes else None
    images = runs.load_dataset(settings.run.data)
    boxes, note = match_boxes(boxes, images.samples) if boxes is not None else (None, "")
    classifier, source = runs.load_classifier(settings.run.model)
    images = runs.label_images(images, classifier)
    if settings.only_checks:
        runs.print_choices(runs.describe_model(classifier, source), images.samples, classifier.class_names)
        runs.print_doubts(classifier, images.samples)
        print(f"\n{model_check.check_model(classifier, images.samples[0])}")
        return 0
    if settings.writes_report:
        from reporting.runs import check_size

        check_size(len(images.samples) * len(settings.run.methods))
    rule = top_classes.read_rule(classifier, settings.top_k, settings.classes)
    if rule and not any(method.load().uses_class for method in settings.run.methods):
        raise ValueError(f"--top_k and --classes: no class enters the maps of {', '.join(settings.run.names)}")
    opened = runs.open_run(settings.run, classifier, source, images)
    if boxes is not None:
        print_table({"boxes": note})

    style = run_figures.Style(settings.run.colormap, settings.run.alpha, images.gaze_note)
    wanted = settings.run.figures
    methods, model = list(opened.methods), opened.description
    drawing = run_figures.Drawing(opened.results, images.samples, methods, settings.display_type, style, model, wanted)
    failed = runs.examine(opened, settings.run, run_figures.FirstPages(drawing))

    tables = opened.results.tables["summary.csv"], opened.results.tables["differences.csv"]
    print(f"\n{summary.describe_records(opened.results.columns(), len(images.samples), *tables)}\n")
    if boxes is not None and METHODS["OCCLUSION"] in opened.methods:
        print(f"{muted_boxes.write_muted(opened, boxes, settings.run.seed)}\n")
    runs.print_failures(failed)
    paths = run_figures.write_run_figures(drawing)
    if rule:
        paths += top_classes.write_top_classes(opened, rule, style, settings.run.seed, wanted, boxes)
    if film_of(images.samples) and wanted.n_images != 0:
        paths += film_maps.write_films(opened, style)
    if settings.animates:
        paths += animations.write_animations(opened, style, settings.run.seed, wanted)
    if settings.writes_report:
        from reporting.document import write_report

        runs.print_paths(write_report([opened.results.folder], opened.results.folder), show=False)
    if note := run_figures.describe_wanted(wanted, len(images.samples)):
        print(note)
    runs.print_paths(paths, settings.run.show)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())
