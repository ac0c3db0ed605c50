"""Numbers in tables: one format in a column, points below each other, the best in bold where that is proven."""

from metrics.catalogue import METRICS
from reporting.cells import DIGIT_SPACE, MINUS, SIGN_SPACE, find_best, format_column, format_p, line_up


def test_the_points_of_a_column_stand_below_each_other():
    found = line_up(["1.5 [-0.5, 10.0]", "200.0 [0.1, 3.0]", "-"])
    assert found == [f"{DIGIT_SPACE * 2}1.5 [{MINUS}0.5, 10.0]", f"200.0 [{SIGN_SPACE}0.1, {DIGIT_SPACE}3.0]", "-"]
    assert line_up(["<0.0001", "0.0313"]) == ["<0.0001", f"{SIGN_SPACE}0.0313"]
    assert line_up([]) == [] and format_p(3e-7) == "<0.0001" and format_p(0.03125) == "0.0312"


def row(method, mean, n=12, **given):
    return {"method": method, "images": 12, "failed": 0, "kl_mean": mean, "kl_low": None, "kl_high": None, "kl_n": n}


def test_a_column_has_one_format_and_says_where_values_are_missing():
    rows = [row("FEM", 0.00012), row("RISE", 12.5, 7), row("LIME", None, 0)]
    assert format_column(rows, "kl") == [f"{DIGIT_SPACE}0.000", "12.500 (n=7)", "\u2013"]
    assert format_column([rows[0] | {"kl_low": 0.1, "kl_high": 0.25}], "kl") == ["0.000 [0.100, 0.250]"]


def test_the_best_is_the_smallest_where_the_metric_says_so_and_differs_from_all_others():
    rows, names = [row("FEM", 0.5), row("RISE", 0.7), row("LIME", 0.9), row("PEOPLE", 0.1)], ["FEM", "RISE", "LIME"]

    def test(a, b, stands):
        return {"metric": "kl", "a": a, "b": b, "stands": stands}

    standing = [test("FEM", "RISE", True), test("LIME", "FEM", True), test("RISE", "LIME", False)]
    assert find_best(rows, METRICS["kl"], names, standing) == "FEM"
    assert find_best(rows, METRICS["kl"], names, [test("FEM", "RISE", False), *standing[1:]]) is None
    assert find_best(rows[:1], METRICS["kl"], names, []) is None, "alone, it is not better than any"
