"""What was done, in words: the paragraphs of a report's section Methods."""

import re
from collections.abc import Iterator, Sequence

import constants
from explainers import registry
from metrics import catalogue
from metrics.significance import BOOTSTRAP_UP_TO
from reporting import references
from reporting.blocks import Cite, Text
from reporting.runs import Report

PATH = re.compile(  # an absolute path: what lies before its last part, and that part; in quotes with blanks
    r"(?:(?<=')(?:[A-Za-z]:)?[\\/](?:[^'\\/]+[\\/])*([^'\\/]+)(?='))|"
    r"(?:(?<![\w./\\'])(?:[A-Za-z]:)?[\\/](?:[^\s,;:'\\/]+[\\/])+([^\s,;:'\\/]*))"
)
CLASS_RULES = {
    "auto": "the class of the image's label where the network has it, else the one it predicts",
    "label": "the class of the image's label",
    "predicted": "the class that the network predicts",
}
IMAGES, DENSITY, FIXATIONS = "test_images_folder_path", "test_gdfm_folder_path", "test_fixations_path"


def hide_paths(text: str) -> str:
    """The text with the last part alone of every absolute path in it: a report names no folder of its author's."""
    return PATH.sub(lambda match: match[1] or match[2] or "", text)


def describe_runs(report: Report) -> Iterator[Text]:
    """A paragraph on each run's network and data, methods, metrics; then one on the statistics, and one on software."""
    for name, description in zip(report.names, report.descriptions):
        prefix = f"The run {name}: " if len(report.names) > 1 else ""
        yield prefix + _describe_network(description)
        yield _describe_methods(description)
        yield _describe_metrics(report, description)
    yield (
        f"A mean stands with the 95 % interval of the percentile bootstrap over images (up to {BOOTSTRAP_UP_TO:,} "
        "images, above them with its normal limit) ",
        Cite((references.BOOTSTRAP,)),
        ". Two methods are compared on the images that both have, by Wilcoxon's signed-rank test ",
        Cite((references.WILCOXON,)),
        "; p-values are corrected after Holm for all pairs of methods of a metric, and for all pairs of a method with "
        f"a baseline, and a difference stands below {constants.SIGNIFICANCE:g} ",
        Cite((references.HOLM,)),
        ". The effect is the matched-pairs rank-biserial correlation ",
        Cite((references.RANK_BISERIAL,)),
        ".",
    )
    versions = dict.fromkeys(_describe_software(description) for description in report.descriptions)
    yield " ".join(versions)


def _describe_network(description: dict) -> str:
    model, settings = description.get("model", {}), description["settings"]
    parts = [f"The network is {model['model_name']}" if model.get("model_name") else "The network is a classifier"]
    if "source" in model:
        parts[0] += f" ({hide_paths(str(model['source']))})"
    if "input_size" in model:
        parts.append(
            f"It takes images of {model['input_size']} pixels, preprocessed as {model.get('preprocessing', 'given')}, "
            f"and knows {model.get('n_classes')} classes"
        )
    if "layer" in model:
        shape = f" of {model['layer_shape']}" if "layer_shape" in model else ""
        found = f" ({model['layer_found']})" if "layer_found" in model else ""
        parts.append(f"Methods that look at a layer look at {model['layer']}{shape}{found}")
    rule = str(model.get("class_rule", settings.get("class_index", "auto")))
    explained = f"Explained is {CLASS_RULES.get(rule, f'the class {rule}')}"
    parts.append(f"{explained}; the network's score is {model['score']}" if "score" in model else explained)
    images = settings.get(IMAGES)
    parts.append(
        f"The images are those of {hide_paths(str(images))}" if images else "The images are the embedded data set's"
    )
    gaze = description.get("gaze")
    if gaze and (not images or settings.get(DENSITY) or settings.get(FIXATIONS)):
        width = f", sigma {settings['sigma_px']} image pixels" if settings.get("sigma_px") else ""
        parts.append(f"The gaze is {gaze if gaze != 'as given' else 'that of the data set'}{width}")
    return ". ".join(parts) + "."


def _describe_methods(description: dict) -> Text:
    """The methods with their papers and the options that are not the usual ones."""
    chosen = description["settings"]["methods"]
    parts = ["The maps are those of "]
    explaining = [name for name in chosen if name not in registry.BASELINES]
    for place, name in enumerate(explaining):
        parts.append(_join_before(place, len(explaining)) + name)
        if name in references.PAPER_OF_METHOD:
            parts += [" ", Cite((references.PAPER_OF_METHOD[name],))]
        if changed := _list_changed(name, chosen[name]):
            parts.append(f" ({hide_paths(changed)})")
    text = "; options that are not named are the usual ones, and the seed is "
    parts.append(f"{text}{description['settings'].get('seed', 0)}.")
    if rows := [name for name in chosen if name in registry.BASELINES]:
        parts.append(f" Beside them stand the baselines {', '.join(rows)}.")
    return parts


def _join_before(place: int, n: int) -> str:
    return "" if place == 0 else (" and " if place == n - 1 else ", ")


def _list_changed(name: str, options: dict) -> str:
    method = registry.METHODS.get(name)
    usual = {option.name: option.default for option in method.options} if method else {}
    changed = {key: value for key, value in options.items() if value != usual.get(key)}
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in changed.items())


def _describe_metrics(report: Report, description: dict) -> Text:
    """The metrics with their papers, and the protocol of insertion and deletion."""
    parts = ["The maps are measured by "]
    measured = report.measured
    for place, metric in enumerate(measured):
        parts.append(f"{_join_before(place, len(measured))}{metric.heading}")
        if metric.name in references.PAPER_OF_METRIC and not _same_as_next(measured, place):
            parts += [" ", Cite((references.PAPER_OF_METRIC[metric.name],))]
    parts.append(".")
    protocol = description["settings"].get("faithfulness_protocol")
    if protocol in constants.FAITHFULNESS_PROTOCOLS and any(metric.name == "insertion_auc" for metric in measured):
        given = constants.FAITHFULNESS_PROTOCOLS[protocol]
        step = "as many pixels as an image row has" if given["n_pixels"] is None else f"{given['n_pixels']} pixels"
        kernel = given["kernel_size"]
        colour = "the network's mean colour" if protocol == "rise" else "black"
        parts.append(
            f" Insertion and deletion follow the protocol {protocol}: {step} a step, deleted pixels {colour}, "
            f"insertion from the image blurred by a kernel of {kernel} x {kernel}; a value is the area under the curve."
        )
    return parts if measured else "No metric was measured."


def _same_as_next(measured: Sequence[catalogue.Metric], place: int) -> bool:
    """Whether the next metric is of the same paper, which is then cited once, behind it."""
    following = measured[place + 1].name if place + 1 < len(measured) else None
    return references.PAPER_OF_METRIC.get(measured[place].name) == references.PAPER_OF_METRIC.get(following)


def _describe_software(description: dict) -> str:
    versions = description.get("versions", {})
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"Software: {listed}." if versions else "The versions of the software are not recorded."
