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
from dataclasses import replace

import constants
import main as main_script
from pipeline.flags import forgive_names, in_range, run_script


def build_parser() -> argparse.ArgumentParser:
    """The flags: those of main.py, and the number of stages."""
    parser = main_script.build_derived_parser(
        "Randomise a network from the top down and watch its explanations; further flags are those of main.py.",
        without=("display_type", "top_k", "classes", "mute_boxes", "report", "baselines", "faithfulness"),
    )
    parser.add_argument(
        "--n_stages",
        type=in_range(int, 1),
        default=constants.SANITY_N_STAGES,
        help="groups of layers that are randomised one after the other, the last layer first (default: %(default)s)",
    )
    parser.set_defaults(limit=constants.SANITY_LIMIT)
    return parser


def run(args: argparse.Namespace) -> int:
    """One check from flags to figures; the exit code."""
    chosen = main_script.choose_options(args)

    import representations
    import utils

    representations.check_colormap(args.colormap)
    utils.silence_tensorflow()

    from comparison import sanity_check
    from network import randomisation
    from pipeline import run as runs

    staged = {
        sanity_check.stage_method(method, stage): options
        for stage in range(args.n_stages + 1)
        for method, options in chosen.items()
    }
    opened = runs.open_run(args, staged)
    methods = {method: options for method, options in chosen.items() if method in opened.chosen}
    failed = runs.examine(replace(opened, chosen=methods), args, faithfulness=())
    layers = randomisation.list_layers(opened.classifier)
    groups = randomisation.group_layers(layers, args.n_stages)
    print(f"{'stages':>14}: {len(groups)}, {len(layers)} layers with weights", flush=True)
    for stage, group in enumerate(groups, start=1):
        for path, layer in group:
            randomisation.randomise(path, layer, args.seed)
        print(f"{f'stage {stage}':>14}: {group[0][0]} down to {group[-1][0]}", flush=True)
        if (todo := sanity_check.stage_run(opened, methods, stage)) is not None:
            runs.examine(todo, args, faithfulness=())
    stages = ["trained", *(group[-1][0] for group in groups)]
    scores = sanity_check.compare_stages(opened, list(methods), stages)
    print(f"\n{sanity_check.write_tables(opened, list(methods), stages, scores)}\n")
    runs.print_failures(failed)
    paths = sanity_check.write_sanity_pages(opened, list(methods), stages, scores, args.colormap, args.alpha)
    main_script.print_paths(list(paths), args.show)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a check with these arguments."""
    return run_script("sanity.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())
