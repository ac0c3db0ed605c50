"""The tables of a run: means and their intervals, what is undefined, divisions, and which differences stand."""

import statistics

import numpy as np
import pytest

from metrics import significance
from metrics.catalogue import METRICS
from pipeline.records import Record
from pipeline.summary import (
    COSTS,
    SUMMARY_COLUMNS,
    describe_differences,
    describe_undefined,
    divisions,
    format_cell,
    format_table,
    list_differences,
    summarise,
)


def record(method="GRADCAM", image="a.png", **values):
    return Record(method, image, image, **values)


def many(method, values, metric="pcc"):
    return [record(method, f"{number:02d}.png", **{metric: value}) for number, value in enumerate(values)]


# --- means -----------------------------------------------------------------------------------------------------
def test_the_summary_is_what_numpy_says():
    rng = np.random.default_rng(0)
    table = rng.random((5, len(SUMMARY_COLUMNS)))
    records = [record(image=f"{n}.png", **dict(zip(SUMMARY_COLUMNS, map(float, row)))) for n, row in enumerate(table)]
    [row] = summarise(records)
    assert (row["method"], row["images"], row["failed"]) == ("GRADCAM", 5, 0)
    for column, values in zip(SUMMARY_COLUMNS, table.T):
        assert row[f"{column}_mean"] == pytest.approx(np.mean(values), rel=1e-15)
        if column in COSTS:
            continue
        assert row[f"{column}_std"] == pytest.approx(statistics.stdev(values), rel=1e-14)
        interval = row[f"{column}_low"], row[f"{column}_high"]
        assert interval == pytest.approx(significance.bootstrap_interval(values), rel=1e-12)
        assert row[f"{column}_n"] == 5


def test_failed_and_undefined_values_are_counted_and_enter_no_mean():
    records = [*many("GRADCAM", [0.2, 0.6, None]), record(image="d.png", status="failed: damaged")]
    [row] = summarise(records)
    assert (row["images"], row["failed"], row["pcc_n"], row["sim_n"]) == (4, 1, 2, 0)
    assert (row["pcc_mean"], row["pcc_std"], row["sim_mean"]) == (
        pytest.approx(0.4),
        pytest.approx(np.sqrt(0.08)),
        None,
    )
    assert row["pcc_low"] == pytest.approx(0.2) and row["pcc_high"] == pytest.approx(0.6)
    head, line = format_table([row]).splitlines()
    assert head.split() == ["method", "images", "failed", "PCC", "↑"], "a metric that nobody has is left out"
    assert line.split() == ["GRADCAM", "4", "1", "0.400", "[0.200,", "0.600]", "(n=2)"]


def test_one_image_has_no_interval_and_no_deviation():
    [row] = summarise([record(pcc=0.5)])
    assert row["pcc_low"] is row["pcc_std"] is None and format_cell(row, "pcc") == "0.500"


def test_a_run_in_which_all_failed_still_has_a_table():
    [row] = summarise([record(status="failed: damaged")])
    assert format_table([row]).splitlines()[1].split() == ["GRADCAM", "1", "1"]


def test_what_does_not_fit_beside_each_other_stands_below():
    rows = summarise([record(image=f"{n}.png", **dict.fromkeys(METRICS, n / 10)) for n in range(5)])
    for width in (60, 120, 1000):
        lines = format_table(rows, width).splitlines()
        assert max(map(len, lines)) <= width
        assert sum(line.startswith("method") for line in lines) == sum(line.startswith("GRADCAM") for line in lines)
        heads = [word for line in lines if line.startswith("method") for word in line.split()]
        assert heads.count("PCC") == heads.count("insertion") == 1
    assert len(lines) == 2


# --- divisions ---------------------------------------------------------------------------------------------------
def test_classes_and_groups_divide_the_images_where_there_are_several():
    names = ["Modern_A_x_N_1.png", "Modern_B_x_N_1.png", "Colonial_C_x_N_1.png"]
    of_monuments = [record(image=name, label=name[:-8], pcc=0.5) for name in names]
    of_styles = [record(image=name, label=name.split("_")[0]) for name in names]
    assert divisions(of_monuments) == ["class", "group"]
    assert divisions(of_styles) == ["class"], "the styles are the classes: one table is enough"
    assert divisions([record(label="cat"), record(image="b.png", label="cat")]) == []
    rows = summarise(of_monuments, "group")
    assert [(row["group"], row["images"]) for row in rows] == [("Modern", 2), ("Colonial", 1)]


# --- differences -------------------------------------------------------------------------------------------------
def test_methods_are_compared_on_the_images_both_have():
    first, second = [0.5 + n / 100 for n in range(20)], [0.1 + n / 90 for n in range(20)]
    records = [*many("GRADCAM", first), *many("RISE", second)[3:], record("FEM", "elsewhere.png", pcc=0.3)]
    rows = {(row["a"], row["b"]): row for row in list_differences(records)}
    assert {row["metric"] for row in rows.values()} == {"pcc"}
    both = rows["GRADCAM", "RISE"]
    assert both["n"] == 17 and both["stands"] and both["effect"] == 1
    assert both["mean_difference"] == pytest.approx(np.mean(np.subtract(first, second)[3:]))
    assert rows["GRADCAM", "FEM"]["n"] == 0 and not rows["GRADCAM", "FEM"]["stands"]


def test_the_differences_that_stand_are_named():
    records = [*many("GRADCAM", np.linspace(0.5, 0.7, 20)), *many("RISE", np.linspace(0.1, 0.2, 20))]
    for number, one in enumerate(records):
        one.sim = [0.1, 0.4][number % 2]
    text = describe_differences(list_differences(records))
    assert text.splitlines() == ["1 of 2 differences stand at 5 % (Wilcoxon, Holm):", "GRADCAM better than RISE on PCC"]
    assert describe_differences([]) == ""


def test_baselines_change_nothing_between_methods():
    methods = [*many("GRADCAM", np.linspace(0.5, 0.7, 7)), *many("RISE", np.linspace(0.1, 0.2, 7))]
    baselines = [*many("RANDOM", np.linspace(0, 0.1, 7)), *many("CENTRE", np.linspace(0.3, 0.9, 7))]
    alone, rows = list_differences(methods), list_differences(methods + baselines)
    assert rows[0] == alone[0]
    assert [(row["a"], row["b"]) for row in rows[1:]] == [
        (method, baseline) for method in ("GRADCAM", "RISE") for baseline in ("RANDOM", "CENTRE")
    ]


def test_too_few_images_for_any_difference_are_told_so():
    records = [*many("GRADCAM", [0.5, 0.6, 0.7]), *many("RISE", [0.1, 0.2, 0.3])]
    assert "of so few images none can, whatever they show: the smallest p would be 0.25" in describe_differences(
        list_differences(records)
    )


def test_reasons_are_counted_method_by_method():
    records = many("GRADCAM", [None, None, 0.5])
    for one in records[:2]:
        one.undefined = {"pcc": "ground_truth is constant", "sim": "ground_truth is constant", "density_map": "x"}
    assert describe_undefined(records) == "undefined, GRADCAM: PCC (2), SIM (2): ground_truth is constant"
    assert describe_undefined(many("FEM", [0.1])) == ""


def test_one_method_differs_from_none():
    assert list_differences(many("GRADCAM", [0.1, 0.2])) == []


def test_a_failed_image_enters_no_difference():
    records = [*many("GRADCAM", [0.1, 0.2]), *many("RISE", [0.3, 0.1])]
    records[3].status = "failed: no"
    assert list_differences(records)[0]["n"] == 1


def test_of_what_a_map_costs_there_is_the_mean_alone_as_images_explained_at_once_share_it():
    [row] = summarise([record(seconds=0.5, passes=1.0), record(image="b", seconds=0.5, passes=1.0)])
    assert {name: value for name, value in row.items() if name.startswith(("seconds", "passes"))} == {
        "seconds_mean": 0.5,
        "seconds_n": 2,
        "passes_mean": 1.0,
        "passes_n": 2,
    }
    assert format_cell(row, "seconds") == "0.5"
    [row] = summarise([record(seconds=19.44, passes=4000.0), record(image="b", seconds=19.44, passes=4001.0)])
    assert (format_cell(row, "seconds"), format_cell(row, "passes")) == ("19.4", "4000"), "not 4e+03"


def test_a_mean_that_rounds_to_nothing_has_no_sign():
    row = {"images": 3, "failed": 0, "pcc_n": 3, "pcc_mean": -0.0001, "pcc_low": -0.2, "pcc_high": 0.0004}
    assert format_cell(row, "pcc") == "0.000 [-0.200, 0.000]"
