"""Trains a classifier for main.py to explain: transfer learning in two stages (lab 1; Yosinski et al. 2014).

    python train.py                                             the embedded network on the embedded data
    python train.py --model_name=ResNet --train_images_folder_path=images_train --val_images_folder_path=images_val
    python train.py --model_path=network/demo_resnet.keras --overwrite  how the repository's own network was made
    python train.py ... --multi_label=labels.csv                several classes an image, or none (multi_label.py)
    python train.py ... --taxonomy=animals.csv --label_level=group   on coarser labels than the data's (taxonomy.py)

    images -> backbone without its head -> pooled features, computed once -> stage 'head': one dense layer
           -> stage 'fine_tuning': the last block too, augmented images, a low learning rate

With --weights=none there is one stage, 'all_layers'. Written are the model, with its class names, preprocessing and
input size in the file, and beside it a folder <model>_training (training_report.py). A run that is stopped goes on
with the same command. Exit code: 0; 2 for a flag or an input that stops the run; 130 when interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import constants
import utils
from pipeline.flags import forgive_names, in_range, run_script


def build_parser() -> argparse.ArgumentParser:
    """The flags; None stands for a default that depends on other flags, and is told in the help."""
    parser = argparse.ArgumentParser(
        description="Train an image classifier for main.py to explain.", allow_abbrev=False
    )
    data = parser.add_argument_group("images")
    kinds = "images named as in MexCulture142, or class folders (default: the embedded data)"
    data.add_argument("--train_images_folder_path", help=kinds)
    data.add_argument("--val_images_folder_path", help="the same for validation")
    data.add_argument(
        "--label_level",
        help=f"{' or '.join(constants.LABEL_LEVELS)} of a MexCulture142 name (default: style), or a level of "
        "--taxonomy (default: its leaves)",
    )
    data.add_argument(
        "--taxonomy",
        help="labels on several levels: a csv file with the columns leaf, or index and leaf, and one per "
        "level up; or iNatLoc500's metadata folder",
    )
    data.add_argument(
        "--multi_label",
        metavar="CSV",
        help="several classes an image, or none: a file with the columns file, then one of 0 and 1 per class, for the "
        "images of both folders; outputs are sigmoids, judged by average precision",
    )
    model = parser.add_argument_group("model")
    demo = constants.MODEL_NAME_DEMO
    names = ", ".join([*constants.ZOO, demo])
    model.add_argument("--model_name", help=f"one of {names} (default: ResNet; {demo} for the embedded data)")
    model.add_argument(
        "--weights",
        help="imagenet; none, to train all layers from the start; a weights file; or a saved model, whose head is "
        f"cut off (default: imagenet; none for {demo})",
    )
    model.add_argument("--fine_tune_from", help="first layer to fine-tune (default: that of the last block)")
    training = parser.add_argument_group("training")
    whole, positive = in_range(int, 0), in_range(int, 1)
    stages = constants.TRAINING_STAGES
    for stage, alone in (("head", ""), ("fine_tuning", "; {} with --weights=none, for all layers")):
        (epochs, rate, _), scratch = stages[stage], stages["all_layers"]
        training.add_argument(
            f"--epochs_{stage}", type=whole, help=f"at most (default: {epochs}{alone.format(scratch[0])})"
        )
        training.add_argument(
            f"--learning_rate_{stage}",
            type=in_range(float, 0, 10),
            help=f"the highest (default: {rate}{alone.format(scratch[1])})",
        )
    usual = ", ".join(f"{patience} in {stage}" for stage, (_, _, patience) in stages.items())
    training.add_argument(
        "--patience", type=positive, help=f"epochs without a lower validation loss that end a stage (default: {usual})"
    )
    training.add_argument("--batch_size", type=positive, default=constants.TRAINING_BATCH_SIZE, help="images per step")
    training.add_argument("--seed", type=whole, default=constants.SEED, help="of all that is random")
    output = parser.add_argument_group("output")
    output.add_argument("--model_path", help="the .keras file to write (default: models/<model_name>.keras)")
    output.add_argument("--overwrite", action="store_true", help="begin anew, whatever is there")
    return parser


def choose_model(args: argparse.Namespace) -> tuple[str | None, str]:
    """The name of the network and its weights; the name of a saved model may be None."""
    model_name, weights = args.model_name and utils.find_model_name(args.model_name), args.weights
    if model_name is None and weights in (None, "imagenet", "none"):
        model_name = "ResNet" if args.train_images_folder_path else constants.MODEL_NAME_DEMO
    return model_name, weights or ("none" if model_name == constants.MODEL_NAME_DEMO else "imagenet")


def choose_stages(args: argparse.Namespace, weights: str) -> list:
    """The stages that have something to train, in their order."""
    from training.loop import Stage

    plan = []
    for name in ["all_layers"] if weights == "none" else ["head", "fine_tuning"]:
        flag = "head" if name == "head" else "fine_tuning"
        given = getattr(args, f"epochs_{flag}"), getattr(args, f"learning_rate_{flag}"), args.patience
        numbers = [usual if value is None else value for value, usual in zip(given, constants.TRAINING_STAGES[name])]
        if numbers[0] > 0:
            plan.append(Stage(name, *numbers, args.batch_size, args.seed))
    if not plan:
        raise ValueError("nothing to train: the epochs of every stage are 0")
    return plan


def find_folders(args: argparse.Namespace) -> tuple[str | Path, str | Path]:
    """The folders of training and validation images; those of the embedded data are drawn if need be."""
    folders = args.train_images_folder_path, args.val_images_folder_path
    if all(folders):
        return folders
    if any(folders):
        raise ValueError("train_images_folder_path and val_images_folder_path must be given together")
    import demo

    def progress(done: int, total: int) -> None:
        print(f"\rdrawing the embedded data: {done} of {total}", end="\n" * (done == total), file=sys.stderr)

    is_drawn = (Path(constants.DEMO_FOLDER) / "images_val" / demo.demo_names("val")[-1]).is_file()
    folder = demo.write_demo(constants.DEMO_FOLDER, progress=None if is_drawn else progress)
    return folder / "images_train", folder / "images_val"


def choose_level(args: argparse.Namespace) -> tuple:
    """The level whose labels are learnt, and its taxonomy, None for MexCulture142's; ValueError for no level of it."""
    from data import label_levels

    if args.multi_label and args.taxonomy:
        raise ValueError("--taxonomy tells one label an image, --multi_label several: give one of them")
    taxonomy = label_levels.open_taxonomy(args.taxonomy) if args.taxonomy else None
    levels = taxonomy.levels if taxonomy else constants.LABEL_LEVELS
    level = args.label_level or levels[0]
    if level not in levels:
        raise ValueError(f"--label_level should be one of {', '.join(levels)}; got '{level}'")
    return level, taxonomy


def list_images(args: argparse.Namespace, folders: Sequence[str | Path], level: str, taxonomy) -> tuple:
    """The samples of each folder, the class names, and for several classes an image the labels and their source."""
    from data import dataset, labelled_images
    from data import multi_labels as multi_label

    if args.multi_label is None:
        samples = [labelled_images.list_labelled(folder, level, taxonomy) for folder in folders]
        return samples, labelled_images.list_classes(*samples), None, None
    table = multi_label.read_labels(args.multi_label)
    samples = [dataset.load_dataset(folder) for folder in folders]
    rows = multi_label.match_labels(table, *samples)
    return samples, table.class_names, table, f"{table.path} (checksum {table.checksum}): {rows}"


def find_model_path(args: argparse.Namespace, model_name: str | None, weights: str) -> Path:
    """Where the model is written; ValueError if that is no .keras file."""
    from network.model_files import trained_model_path

    path = Path(args.model_path) if args.model_path else trained_model_path(model_name or Path(weights).stem)
    if path.suffix != ".keras" or path.is_dir():
        raise ValueError(f"model_path must be a file that ends in .keras; got '{path}'")
    return path


def run(args: argparse.Namespace, bags=None) -> int:
    """One run from flags to a model; the exit code. bags: an `attention_layers.Bags` to make bags of the images."""
    level, taxonomy = choose_level(args)  # before TensorFlow is loaded: a slip is told at once

    utils.silence_tensorflow()

    import keras

    from data import labelled_images
    from data import multi_labels as multi_label
    from network import model_files, transfer
    from training import mil_training, stages
    from training import report as training_report

    model_name, weights = choose_model(args)
    model_path = find_model_path(args, model_name, weights)
    plan = choose_stages(args, weights)
    folders = find_folders(args)
    samples, class_names, table, source = list_images(args, folders, level, taxonomy)
    keras.utils.set_random_seed(args.seed)
    backbone = transfer.load_backbone(model_name, weights)
    first_layer = None if weights == "none" else transfer.choose_first_layer(backbone, args.fine_tune_from)
    train, val = (
        labelled_images.read_labelled(part, class_names, *backbone.input_size, table and table.rows) for part in samples
    )
    if table:
        multi_label.check_learnable(train)
    kept = {
        "model_name": backbone.model_name,
        # One sigmoid answers for two classes, the last of which is the one it was trained on.
        "class_names": [f"not {class_names[0]}", *class_names] if len(class_names) == 1 else class_names,
        "preprocessing": backbone.preprocessing,
        "input_size": backbone.input_size,
    }
    settings = {
        **kept,
        **(bags.settings(backbone) if bags else {}),
        "weights": weights,
        "multi_label": source,
        "images": [f"{len(part)} in {folder}" for folder, part in zip(folders, (train, val))],
        "stages": [vars(stage) for stage in plan],
        "fine_tune_from": first_layer or "the first layer",
    }
    folder, is_done = training_report.open_run(model_path, settings, args.overwrite)
    print_choices(settings, train.left_out + val.left_out)
    if is_done:
        print(f"{model_path} has been trained with these settings; --overwrite trains it again")
        return 0
    model = (bags or transfer).add_head(backbone, len(class_names), args.seed, "sigmoid" if table else "softmax")
    train_stages = (mil_training if bags else stages).train_stages
    histories = train_stages(model, backbone, train, val, plan, first_layer, folder, print_epoch)
    model_files.save_model(transfer.without_optimiser(model), model_path, kept)
    classifier, _ = model_files.load_classifier(model_path=model_path)  # what main.py will see is what is judged
    probabilities = classifier.predict(val.images)[:, -len(class_names) :]
    paths = [
        *training_report.write_history(folder, histories),
        *training_report.write_evaluation(folder, val, probabilities),
    ]
    measured = training_report.measure(val, probabilities)
    training_report.write_description(folder, settings, **measured, left_out=train.left_out + val.left_out)
    for stage in plan:
        (folder / f"{stage.name}.npz").unlink(missing_ok=True)
    print(*training_report.describe(measured, len(val)), model_path, *paths, sep="\n")
    return 0


def print_choices(settings: dict, left_out: Sequence[str]) -> None:
    """Says what was chosen, and which images could not be read."""
    for name, value in settings.items():
        if name == "multi_label" and value is None:
            continue
        if name == "stages":
            value = ", ".join(f"{stage['name']} (at most {stage['epochs']} epochs)" for stage in value)
        elif isinstance(value, (list, tuple)):
            more = f", ... ({len(value)} in all)" if len(value) > 10 else ""
            value = ", ".join(map(str, value[:10])) + more
        print(f"{name.replace('_', ' '):>14}: {value}")
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    sys.stdout.flush()


def print_epoch(stage, history: dict) -> None:
    """One line per epoch."""
    from training.loop import best_epoch

    n, last = len(history["loss"]), {name: values[-1] for name, values in history.items()}
    best = "  best" if best_epoch(history) == n - 1 else ""
    print(
        f"{stage.name} {n:>3}/{stage.epochs}  loss {last['loss']:.3f}  accuracy {last['accuracy']:.3f}  "
        f"validation: loss {last['val_loss']:.3f}  accuracy {last['val_accuracy']:.3f}{best}",
        flush=True,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of a run with these arguments."""
    return run_script("train.py", run, build_parser().parse_args(argv))


if __name__ == "__main__":
    forgive_names()
    sys.exit(main())
