"""Tables: what stands in a csv file, cells below each other, means and deviations by hand."""

import csv
import statistics

import numpy as np
import pytest

from output.tables import align, format_mean, list_means, mean_and_deviation, read_rows, write_table


def read(path):
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [*csv.reader(file)]


def test_a_table_has_an_empty_field_for_none_nan_and_what_is_not_there(tmp_path):
    rows = [{"a": 0.5, "b": float("nan"), "c": 'x, "y"\n\u00e9\udce9'}, {"a": None, "b": np.float64(2)}]
    path = write_table(tmp_path / "new" / "table.csv", rows)
    assert read(path) == [["a", "b", "c"], ["0.5", "", rows[0]["c"]], ["", "2.0", ""]]


def test_a_table_without_rows_has_its_head(tmp_path):
    assert read(write_table(tmp_path / "table.csv", [], ["a", "b"])) == [["a", "b"]]


def test_cells_stand_below_each_other_without_blanks_at_the_end():
    assert align([["method", "n"], ["FEM", "12"], ["A", ""]]) == "method  n\nFEM     12\nA"


def test_means_and_deviations_leave_out_what_is_undefined():
    values = np.array([[1.0, np.nan, 5.0], [3.0, np.nan, np.nan], [5.0, np.nan, np.nan]])
    mean, std, n = mean_and_deviation(values)
    np.testing.assert_array_equal(n, [3, 0, 1])
    np.testing.assert_array_equal(mean, [3, np.nan, 5])
    np.testing.assert_allclose(std, [statistics.stdev([1, 3, 5]), np.nan, np.nan])  # of a sample; one value has none


def test_a_row_of_means_and_how_it_reads():
    row = list_means({"pcc": [0.25, 0.75, float("nan")], "sim": [0.5], "kl": []})
    assert {key: row[key] for key in ("pcc_mean", "pcc_std", "pcc_n", "sim_n", "kl_n")} == pytest.approx(
        {"pcc_mean": 0.5, "pcc_std": np.sqrt(1 / 8), "pcc_n": 2, "sim_n": 1, "kl_n": 0}
    )
    assert format_mean(row, "pcc", 3) == "0.500 ± 0.354 (n=2)"
    assert format_mean(row, "pcc", 2, ".2g") == "0.5 ± 0.35"
    assert format_mean(row, "sim", 1) == "0.500"  # one value has no deviation
    assert format_mean(row, "kl", 3) == "-"
    assert format_mean({"box_acc_mean": 0.5, "box_acc_n": 3}, "box_acc", 3) == "0.500"  # nor has a share


def test_rows_are_read_as_they_were_written(tmp_path):
    path = write_table(tmp_path / "a.csv", [{"name": 'a "b"\n', "x": 1}, {"name": "\udcff", "x": None}])
    assert read_rows(path, ["x"]) == [{"name": 'a "b"\n', "x": "1"}, {"name": "\udcff", "x": ""}]


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "no column x"),
        (b"y\n1\n", "no column x"),
        (b"x,y\n1\n", "a.csv"),
        (b'x\n"1', "a.csv"),
        (b"x\n" + b"1" * 200_000, "field larger"),
    ],
)
def test_a_damaged_table_is_refused_by_name(tmp_path, content, words):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=f"cannot read .*a.csv.*{words}|a.csv.*remove it"):
        read_rows(tmp_path / "a.csv", ["x"])
