"""Does a map depend on what the network has learnt? Randomises it from the top down and watches the maps change.

    python sanity.py
    python sanity.py --explanation_method=GRADCAM,GUIDED_BACKPROP --model_name=ResNet \\
                     --test_images_folder_path=images_val

Takes the flags of `main.py`. Stage 0 is the trained network; in stage k the k topmost groups of layers are drawn again
(randomisation.py), and every image is explained anew, for the class that was explained in stage 0. A method whose map
stays as it was explains the image, not the network: Adebayo et al. 2018, "Sanity checks for saliency maps".

    sanity.csv            per method, image and stage: rank correlation with stage 0 (of the values and of their
                          magnitudes) and SSIM; undefined for a constant map
    sanity_summary.csv    the same per method and stage: mean, 95 % bootstrap interval, count
    sanity_curves.png     the means against the stage
    sanity_strip.png      one image's maps over all stages, method by method; _2, ...

Cost: the explanations of all images, n_stages + 1 times. A run that is stopped goes on with the same command.
Exit code: 0; 1 when an image could not be explained; 2 for a flag or an input that stops it; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline import flags
from pipeline.settings import RunSettings, read_run_settings

N_STAGES = 8  # groups of layers that are randomised one after the other
LIMIT = 6  # images explained in every stage


@dataclass(frozen=True)
class SanitySettings:
    """What sanity.py was asked for."""

    run: RunSettings
    n_stages: int


def build_parser() -> argparse.ArgumentParser:
    """The flags: those of main.py that matter here, and the number of stages."""
    parser = flags.build_run_parser(
        "sanity.py", "Randomise a network from the top down and watch its explanations.", limit=LIMIT
    )
    check = parser.add_argument_group("check")
    check.add_argument(
        "--n_stages",
        type=flags.in_range(int, 1),
        default=N_STAGES,
        metavar="N",
        help="groups of layers that are randomised one after the other, the last layer first (default: %(default)s)",
    )
    return parser


def read_settings(args: argparse.Namespace) -> SanitySettings:
    """The settings of these flags; ValueError for flags that do not go together."""
    return SanitySettings(read_run_settings(args), args.n_stages)


def run(settings: SanitySettings) -> int:
    """One check from settings to figures; the exit code."""
    import representations
    import utils

    representations.check_colormap(settings.run.colormap)
    utils.silence_tensorflow()

    from comparison import sanity_check
    from network import randomisation
    from pipeline import run as runs

    staged = {
        sanity_check.stage_method(method, stage): options
        for stage in range(settings.n_stages + 1)
        for method, options in settings.run.methods.items()
    }
    images = runs.load_dataset(settings.run.data)
    classifier, source = runs.load_classifier(settings.run.model)
    images = runs.label_images(images, classifier)
    opened = runs.open_run(
        replace(settings.run, methods=staged), classifier, source, images, n_stages=settings.n_stages
    )
    methods = {method: options for method, options in settings.run.methods.items() if method in opened.methods}
    failed, _ = runs.examine(replace(opened, methods=methods), settings.run)
    layers = randomisation.list_layers(classifier)
    groups = randomisation.group_layers(layers, settings.n_stages)
    runs.print_table({"stages": f"{len(groups)}, {len(layers)} layers with weights"})
    for stage, group in enumerate(groups, start=1):
        for path, layer in group:
            randomisation.randomise(path, layer, settings.run.seed)
        runs.print_table({f"stage {stage}": f"{group[0][0]} down to {group[-1][0]}"})
        if (todo := sanity_check.stage_run(opened, methods, stage)) is not None:
            runs.examine(todo, settings.run)
    stages = ["trained", *(group[-1][0] for group in groups)]
    scores = sanity_check.compare_stages(opened, list(methods), stages)
    print(f"\n{sanity_check.write_tables(opened, list(methods), stages, scores)}\n")
    runs.print_failures(failed)
    paths = sanity_check.write_sanity_pages(
        opened, list(methods), stages, scores, settings.run.colormap, settings.run.alpha
    )
    runs.print_paths(list(paths), settings.run.show)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a check with these arguments."""
    return flags.run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())
