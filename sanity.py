"""Does a map depend on what the network has learnt? Four checks that the lecture tells of.

    python sanity.py                                                       --check=randomisation
    python sanity.py --check=input_shift --explanation_method=VANILLA_GRADIENT,GRADIENT_INPUT,INTEGRATED_GRADIENTS
    python sanity.py --check=adversarial --explanation_method=VANILLA_GRADIENT,GRADCAM --bound=8
    python sanity.py --check=labels --explanation_method=GRADCAM,GUIDED_BACKPROP
    python sanity.py --explanation_method=GRADCAM,GUIDED_BACKPROP --model_name=ResNet \\
                     --test_images_folder_path=images_val

Takes the flags of `main.py`. Every image is explained as it is, and again under other conditions, for the same class:

    randomisation   in stage k the k topmost groups of layers are drawn again (network/randomisation.py). A map that
                    stays explains the image, not the network: Adebayo et al. 2018, "Sanity checks for saliency maps"
    input_shift     a twin network gives to x + c what this one gives to x (comparison/sanity_shift.py). A map that
                    changes explains the coding of the image: Kindermans et al. 2018
    adversarial     the picture is changed a little, so that its class stays and its map moves as far as it can
                    (comparison/sanity_attack.py): Ghorbani et al. 2019
    labels          the embedded network, trained from the start on the embedded data with true labels, with another
                    seed, and with permuted labels (training/random_labels.py): Adebayo et al. 2018, section 3.2

    sanity.csv            per method, image and condition: rank correlation with the first condition (of the values and
                          of their magnitudes), SSIM and what else a check measures; undefined for a constant map
    sanity_summary.csv    the same per method and condition: mean, 95 % bootstrap interval, count
    sanity_curves.png     the means against the stage; of the other checks sanity_points.png, under each condition
    sanity_strip.png      one image's maps under all conditions, method by method; _2, ...
    attacked/, networks/  the changed pictures of adversarial; the networks of labels

Cost: the explanations of all images once for each condition. A run that is stopped goes on with the same command.
Exit code: 0; 1 when an image could not be explained; 2 for a flag or an input that stops it; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from output.progress import print_table
from pipeline import flags
from pipeline.command_line import in_range, run_command
from pipeline.settings import RunSettings, read_run_settings

LIMIT = 6  # images explained under every condition
STRIPS = 3  # of them that are drawn
CHECKS = {  # check -> its flags and their defaults
    "randomisation": {"n_stages": 8},
    "input_shift": {"shift": 32.0},
    "adversarial": {"bound": 8.0, "n_iterations": 30},
    "labels": {"epochs": 25, "n_training_images": 24},
}
FIXED = ("test_images_folder_path", "model_path", "model_name", "class_names")  # flags that `labels` decides itself


@dataclass(frozen=True)
class SanitySettings:
    """What sanity.py was asked for. asked: the check's own flags with their values."""

    run: RunSettings
    check: str
    asked: dict


def build_parser() -> argparse.ArgumentParser:
    """The flags: those of main.py that matter here, and those of each check."""
    parser = flags.build_run_parser(
        "sanity.py",
        "Ask of maps what the lecture asks: do they depend on the network, and on nothing else?",
        limit=LIMIT,
    )
    group = parser.add_argument_group("check")
    group.add_argument(
        "--check", choices=tuple(CHECKS), default="randomisation", help="what is checked (default: %(default)s)"
    )

    def add(check: str, name: str, kind, metavar: str, what: str) -> None:
        default = CHECKS[check][name]
        group.add_argument(f"--{name}", type=kind, metavar=metavar, help=f"{check}: {what} (default: {default:g})")

    stages = "groups of layers that are randomised one after the other, the last layer first"
    add("randomisation", "n_stages", in_range(int, 1), "N", stages)
    add("input_shift", "shift", in_range(float, -255, 255), "LEVELS", "grey levels that every pixel is larger by")
    add("adversarial", "bound", in_range(float, 1, 255), "LEVELS", "grey levels that a pixel may change by")
    add("adversarial", "n_iterations", in_range(int, 1), "N", "steps of an attack")
    add("labels", "epochs", in_range(int, 1), "N", "epochs of training of each of three networks")
    add("labels", "n_training_images", in_range(int, 3, 142), "N", "images they learn, the styles taking turns")
    flags.add_n_figures_flag(group, STRIPS, "the maps of the first N images")
    return parser


def read_settings(args: argparse.Namespace) -> SanitySettings:
    """The settings of these flags; ValueError for flags that do not go together."""
    for check, own in CHECKS.items():
        for name in own:
            if check != args.check and getattr(args, name) is not None:
                raise ValueError(f"--{name} belongs to --check={check}, and --check={args.check} was asked for")
    if args.check == "labels" and (given := [name for name in FIXED if getattr(args, name) is not None]):
        raise ValueError(f"--check=labels trains the embedded network on the embedded data: leave out --{given[0]}")
    usual = CHECKS[args.check]
    asked = {name: default if getattr(args, name) is None else getattr(args, name) for name, default in usual.items()}
    if asked.get("shift") == 0:
        raise ValueError("--shift should not be 0: the twin would be the network itself")
    if args.cluster is not None and args.check != "randomisation":  # processes load the network, not its twin
        raise ValueError(f"--cluster goes with --check=randomisation; --check={args.check} was asked for")
    return SanitySettings(read_run_settings(args), args.check, asked)


def run(settings: SanitySettings) -> int:
    """One check from settings to figures; the exit code."""
    import representations
    import utils

    representations.check_colormap(settings.run.colormap)
    utils.load_tensorflow(with_extras=False)
    return {
        "randomisation": run_randomisation,
        "input_shift": run_input_shift,
        "adversarial": run_adversarial,
        "labels": run_labels,
    }[settings.check](settings)


def open_check(settings: SanitySettings, conditions: Sequence, model=None) -> tuple:
    """The run of a check under its conditions, its methods with their options, and the records of images that could
    not be explained under the first of them; model: settings of the network, None: as asked for."""
    from comparison import sanity_check
    from pipeline import run as runs

    images = runs.load_dataset(settings.run.data)
    classifier, source = runs.load_classifier(model or settings.run.model)
    images = runs.label_images(images, classifier)
    named = sanity_check.name_all(settings.run.methods, conditions)
    further = settings.asked if settings.check == "randomisation" else {"check": settings.check, **settings.asked}
    opened = runs.open_run(replace(settings.run, methods=named), classifier, source, images, **further)
    methods = {method: options for method, options in settings.run.methods.items() if method in opened.methods}
    return opened, methods, runs.examine(replace(opened, methods=methods), settings.run)


def explain_again(settings: SanitySettings, opened, methods: dict, condition, classifier, change=None) -> None:
    """Explains every image under a condition, but for what is explained already."""
    from comparison import sanity_check
    from pipeline import run as runs

    if (todo := sanity_check.run_of_condition(opened, methods, condition, classifier, change)) is not None:
        runs.examine(todo, settings.run)


def run_randomisation(settings: SanitySettings) -> int:
    """The network forgets, stage by stage."""
    from comparison import sanity_check, sanity_figures
    from network import randomisation

    n_stages = settings.asked["n_stages"]
    opened, methods, failed = open_check(settings, sanity_check.list_stages([""] * n_stages))
    layers = randomisation.list_layers(opened.classifier)
    groups = randomisation.group_layers(layers, n_stages)
    conditions = sanity_check.list_stages([group[-1][0] for group in groups])
    print_table({"stages": f"{len(groups)}, {len(layers)} layers with weights"})
    for stage, (group, condition) in enumerate(zip(groups, conditions[1:]), start=1):
        for path, layer in group:
            randomisation.randomise(path, layer, settings.run.seed)
        print_table({f"stage {stage}": f"{group[0][0]} down to {group[-1][0]}"})
        explain_again(settings, opened, methods, condition, opened.classifier.rebuilt())
    scores = sanity_check.compare_conditions(opened, list(methods), conditions, sanity_check.compare_with_trained)
    print(f"\n{sanity_check.write_tables(opened, list(methods), conditions, scores)}\n")
    style = settings.run.colormap, settings.run.alpha, settings.run.figures
    return finish(
        settings, failed, sanity_figures.write_sanity_pages(opened, list(methods), conditions, scores, *style)
    )


def run_input_shift(settings: SanitySettings) -> int:
    """A twin takes what is c larger."""
    from comparison import sanity_check, sanity_shift

    opened, methods, failed = open_check(settings, sanity_shift.CHECK.conditions)
    shift, network = settings.asked["shift"], opened.classifier
    twin = network.shifted(shift)
    readable = list(sanity_check.read_images(opened.samples, network).values())
    print_table({"twin": f"a probability differs by {sanity_shift.check_twin(network, twin, readable):.1e} at most"})
    explain_again(settings, opened, methods, sanity_shift.TWIN, twin, sanity_shift.shift_image(shift))
    noise = sanity_check.add_noise(network, abs(shift), opened.samples, settings.run.seed)
    explain_again(settings, opened, methods, sanity_shift.NOISE, network, noise)
    title = f"maps of a network and of its twin, which takes pixels {shift:+g} grey levels larger"
    return report(settings, opened, methods, failed, sanity_shift.CHECK, title)


def run_adversarial(settings: SanitySettings) -> int:
    """Pictures are changed so that the class stays and the map moves."""
    from comparison import sanity_attack, sanity_check
    from output.progress import Progress, printable

    if settings.run.leaves_out:
        kept = {m: options for m, options in settings.run.methods.items() if m.name in sanity_attack.ATTACKED}
        settings = replace(settings, run=replace(settings.run, methods=kept))
        print(f"methods that can be attacked: {', '.join(sanity_attack.ATTACKED)}", file=sys.stderr)
    sanity_attack.check_methods(list(settings.run.methods))
    opened, methods, failed = open_check(settings, sanity_attack.CHECK.conditions)
    network, bound = opened.classifier, settings.asked["bound"]
    noise = sanity_check.add_noise(network, bound, opened.samples, settings.run.seed)
    explain_again(settings, opened, methods, sanity_attack.NOISE, network, noise)
    progress = Progress(
        {f"{m.name} {attack}": len(opened.samples) for m in methods for attack in sanity_attack.ATTACKS}
    )
    attacked = {}
    for method, options in methods.items():
        for attack, condition in zip(sanity_attack.ATTACKS, sanity_attack.CHECK.conditions[2:]):
            tool = sanity_attack.Attack(
                attack, method, options, network, bound, settings.asked["n_iterations"], settings.run.seed
            )
            name = f"{method.name} {attack}"
            paths, reasons = sanity_attack.attack_images(
                opened, tool, method, lambda sample, name=name: progress.end(name, sample.name)
            )
            attacked[method.name, condition.key] = paths
            for image, reason in reasons.items():
                print(printable(f"{method.name} {attack} {image}: {reason}"))
            there = [sample for sample in opened.samples if sample.name in paths]
            some = replace(opened, images=replace(opened.images, samples=there))
            explain_again(settings, some, {method: options}, condition, network, sanity_attack.read_attacked(paths))
    title = f"maps of pictures changed by {bound:g} grey levels at most, their class kept"
    show = sanity_attack.show_pictures(network, attacked, noise, bound)
    return report(settings, opened, methods, failed, sanity_attack.CHECK, title, show)


def run_labels(settings: SanitySettings) -> int:
    """The same network learns other labels."""
    from comparison.sanity_check import Check, name_condition
    from network import model_files
    from training import command, random_labels

    epochs, n_images = settings.asked["epochs"], settings.asked["n_training_images"]
    images = random_labels.read_training_images(n_images)
    labels, seed, folder = images.labels, settings.run.seed, settings.run.output_folder / "networks"
    asked = [
        (name_condition("", "true labels"), labels, seed),
        (name_condition("other_seed", "true labels, other seed"), labels, seed + 1),  # what chance alone changes
        (name_condition("permuted", "permuted labels"), random_labels.permute_labels(labels, seed), seed),
    ]
    check, networks = Check([condition for condition, *_ in asked]), []
    for condition, learnt, own_seed in asked:
        path = folder / f"{condition.key or 'true'}_labels_{n_images}_images_{epochs}_epochs_seed_{own_seed}.keras"
        if settings.run.overwrite:
            path.unlink(missing_ok=True)
        random_labels.train_from_scratch(images, learnt, path, own_seed, epochs, command.print_epoch)
        accuracy = random_labels.measure_accuracy(path, images.images, learnt)
        print_table({condition.label: f"{accuracy:.1%} of {len(images)} training images have the label it learnt"})
        networks.append(path)
    model = replace(settings.run.model, model_path=str(networks[0]))
    opened, methods, failed = open_check(settings, check.conditions, model)
    for condition, path in zip(check.conditions[1:], networks[1:]):
        network, _ = model_files.load_classifier(**vars(replace(model, model_path=str(path))))
        explain_again(settings, opened, methods, condition, network)
    title = "maps of networks that have learnt true labels, with two seeds, and permuted ones"
    return report(settings, opened, methods, failed, check, title)


def report(settings: SanitySettings, opened, methods: dict, failed: list, check, title: str, show=None) -> int:
    """Writes tables and figures of a `sanity_check.Check`; the exit code. show: as `write_strips` takes it."""
    from comparison import sanity_check, sanity_figures

    conditions, chosen = check.conditions, list(methods)
    scores = sanity_check.compare_conditions(opened, chosen, conditions, check.measure_change)
    heading = f"rank correlation with: {conditions[0].label}"

    def tell(method, condition, sample) -> dict:
        record = opened.results.find(condition.method(method).name, sample)
        return {name: "" if record is None else getattr(record, name) for name in ("predicted", "probability")}

    print(f"\n{sanity_check.write_tables(opened, chosen, conditions, scores, heading, tell)}\n")
    style = settings.run.colormap, settings.run.alpha, settings.run.figures
    figures = sanity_figures.write_condition_pages(
        opened, chosen, conditions, scores, check.headings, title, *style, show
    )
    return finish(settings, failed, figures)


def finish(settings: SanitySettings, failed: list, figures) -> int:
    """Says what failed and which figures are written; the exit code."""
    from pipeline import run as runs

    runs.print_failures(failed)
    runs.print_paths(list(figures), settings.run.show)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a check with these arguments."""
    return run_command(build_parser(), read_settings, run, argv)


if __name__ == "__main__":
    sys.exit(main())
