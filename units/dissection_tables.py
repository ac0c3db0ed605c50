"""The tables of a dissection: descriptions.csv, detectors by layer and concept, and two models side by side.

    descriptions.csv    layer, unit, concept, iou, threshold    of every unit its best concept, '' if it meets none
    layers.csv          layer, units, detectors, concepts, mean_iou, best_iou
    detectors.csv       concept, one column per layer: units that detect it
    comparison.csv      concept, detectors of both models, shared or exclusive
    units_by_model.csv  layer, unit, and of each model the unit's concept and IoU

A unit is a detector of its best concept if their IoU exceeds `min_iou` (Bau et al. 2017, section 2.2: 0.04).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from output.tables import align, read_rows, write_table
from units.dissection import Dissection
from units.unit_tally import UnitTally

DESCRIPTION_COLUMNS = ["layer", "unit", "concept", "iou", "threshold"]
ONLY_ONE, SHARED, ONLY_OTHER = "only the first", "shared", "only the second"


def describe_units(dissected: Dissection, concept_names: Sequence[str]) -> list[dict]:
    """A row of descriptions.csv per unit, layer by layer."""
    rows = []
    for layer, tally in dissected.tallies.items():
        ious = tally.iou()
        best = ious.argmax(axis=1)
        for unit, (concept, iou) in enumerate(zip(best, ious.max(axis=1))):
            name = concept_names[concept] if iou > 0 else ""
            row = (layer, unit, name, float(iou), float(tally.thresholds[unit]))
            rows.append(dict(zip(DESCRIPTION_COLUMNS, row)))
    return rows


def write_descriptions(folder: Path, rows: Sequence[dict]) -> Path:
    """The path of descriptions.csv."""
    texts = [{**row, "iou": f"{row['iou']:.6f}", "threshold": f"{row['threshold']:.9g}"} for row in rows]
    return write_table(folder / "descriptions.csv", texts, DESCRIPTION_COLUMNS)


def read_descriptions(folder: str | Path) -> list[dict]:
    """The rows of the descriptions.csv of a finished run; ValueError if there is none, or it is not of a dissection."""
    path = Path(folder) / "descriptions.csv"
    if not path.is_file():
        raise ValueError(f"compare_with: there is no descriptions.csv in '{folder}': a folder of a run was wanted")
    rows = read_rows(path, DESCRIPTION_COLUMNS)
    try:
        return [
            {**row, "unit": int(row["unit"]), "iou": float(row["iou"]), "threshold": float(row["threshold"])}
            for row in rows
        ]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"compare_with: '{path}' should have the columns {', '.join(DESCRIPTION_COLUMNS)}") from None


def find_detectors(rows: Sequence[dict], min_iou: float) -> list[dict]:
    """The rows of the units that detect their concept, those of the largest IoU first."""
    return sorted((row for row in rows if row["iou"] > min_iou), key=lambda row: -row["iou"])


def count_detectors(rows: Sequence[dict], min_iou: float) -> dict[str, Counter]:
    """Layer -> concept -> units that detect it; a layer without any is there too."""
    counts = {row["layer"]: Counter() for row in rows}
    for row in find_detectors(rows, min_iou):
        counts[row["layer"]][row["concept"]] += 1
    return counts


def rank_concepts(counts: Mapping[str, Counter]) -> list[str]:
    """The concepts that have a detector, those of most detectors first."""
    total = sum(counts.values(), Counter())
    return sorted(total, key=lambda concept: (-total[concept], concept))


def tabulate_layers(rows: Sequence[dict], min_iou: float) -> list[dict]:
    """A row per layer: units, detectors, concepts that have a detector, mean and largest IoU of all units."""
    table = []
    for layer, concepts in count_detectors(rows, min_iou).items():
        ious = [row["iou"] for row in rows if row["layer"] == layer]
        table.append(
            {
                "layer": layer,
                "units": len(ious),
                "detectors": concepts.total(),
                "concepts": len(concepts),
                "mean_iou": f"{np.mean(ious):.4f}",
                "best_iou": f"{max(ious):.4f}",
            }
        )
    return table


def tabulate_concepts(rows: Sequence[dict], min_iou: float) -> list[dict]:
    """A row per concept that has a detector: how many of each layer."""
    counts = count_detectors(rows, min_iou)
    return [{"concept": name, **{layer: counts[layer][name] for layer in counts}} for name in rank_concepts(counts)]


def compare(rows: Sequence[dict], others: Sequence[dict], min_iou: float) -> list[dict]:
    """A row per concept that a unit of either model detects: detectors of both, and who has it; shared ones first."""
    first, second = (sum(count_detectors(each, min_iou).values(), Counter()) for each in (rows, others))
    table = []
    for concept in first | second:
        found_in = SHARED if first[concept] and second[concept] else ONLY_ONE if first[concept] else ONLY_OTHER
        table.append({"concept": concept, "first": first[concept], "second": second[concept], "found_in": found_in})
    order = (SHARED, ONLY_ONE, ONLY_OTHER)
    return sorted(table, key=lambda row: (order.index(row["found_in"]), -row["first"] - row["second"], row["concept"]))


def tabulate_models(runs: Mapping[str, Sequence[dict]]) -> list[dict]:
    """The table unit x layer x model: a row per layer and unit that any model has, its concept and IoU in each model.

    runs: model -> rows of its descriptions. A model without that unit has '' there.
    """
    of_model = {name: {(row["layer"], row["unit"]): row for row in rows} for name, rows in runs.items()}
    places = dict.fromkeys(place for units in of_model.values() for place in units)
    order = {layer: number for number, layer in enumerate(dict.fromkeys(layer for layer, _ in places))}
    table = []
    for layer, unit in sorted(places, key=lambda place: (order[place[0]], place[1])):
        row = {"layer": layer, "unit": unit}
        for name, units in of_model.items():
            found = units.get((layer, unit))
            row |= {f"{name}: concept": found["concept"] if found else "", f"{name}: iou": _iou(found)}
        table.append(row)
    return table


def _iou(row: dict | None) -> str:
    return f"{row['iou']:.6f}" if row else ""


def tabulate_models_by_layer(runs: Mapping[str, Sequence[dict]], min_iou: float) -> list[dict]:
    """A row per layer and model: what `tabulate_layers` says of the layer."""
    layers = {name: {row["layer"]: row for row in tabulate_layers(rows, min_iou)} for name, rows in runs.items()}
    found = dict.fromkeys(layer for rows in layers.values() for layer in rows)
    return [
        {"layer": layer, "model": name, **{key: value for key, value in rows[layer].items() if key != "layer"}}
        for layer in found
        for name, rows in layers.items()
        if layer in rows
    ]


def find_ceilings(tally: UnitTally, concept_names: Sequence[str], share: float, min_iou: float) -> list[str]:
    """The concepts too large for a detector, in words: a unit active on a share of the pixels covers no more of one."""
    covered = tally.covered / np.maximum(tally.n_pixels, 1)
    return [
        f"{name} ({part:.1%} of the pixels, IoU up to about {share / part:.3f})"
        for name, part in zip(concept_names, covered)
        if part > 0 and share / part <= min_iou
    ]


def format_rows(rows: Sequence[dict]) -> str:
    """Rows of equal keys as text."""
    return align([list(rows[0]), *([str(cell) for cell in row.values()] for row in rows)])
