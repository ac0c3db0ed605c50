"""The list of metrics that records, tables and reports go by."""

from dataclasses import fields

import pytest
from planted import ROOT

import evaluate
from metrics import catalogue
from metrics.catalogue import DENSITY, METRICS, NETWORK, POINTS
from pipeline.records import Record

TABLE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_a_record_has_a_field_for_every_metric():
    assert set(METRICS) <= {field.name for field in fields(Record)}


def test_every_gaze_metric_has_its_judge():
    for name in catalogue.names_against(DENSITY) + catalogue.names_against(POINTS):
        assert callable(getattr(evaluate, f"calculate_{name}"))


def test_what_asks_the_network_is_asked_for_by_name():
    assert sorted(name for names in catalogue.FAITHFULNESS.values() for name in names) == sorted(
        catalogue.names_against(NETWORK)
    )


@pytest.mark.parametrize("name", METRICS)
def test_the_page_of_metrics_explains_every_metric(name):
    rows = [line for line in TABLE.splitlines() if line.startswith("|")]
    heading = METRICS[name].heading.split(" (")[0]
    assert any(heading.lower() in row.split("|")[1].lower() for row in rows)


@pytest.mark.parametrize(
    "text, names",
    [
        ("curves", ("curves",)),
        ("drop,CURVES", ("curves", "drop")),
        ("none", ()),
        ("all", tuple(catalogue.FAITHFULNESS)),
        ("ALL", tuple(catalogue.FAITHFULNESS)),
    ],
)
def test_judges_are_named(text, names):
    assert catalogue.read_faithfulness(text) == names


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "unknown metric ''; choose from: curves, drop, road"),
        ("insertion", "unknown metric 'insertion'; choose from: curves, drop, road"),
        ("drop,curvs", "unknown metric 'curvs'; did you mean curves"),
        ("none,drop", "'none' stands alone; got 'none,drop'"),
    ],
)
def test_other_names_are_refused(text, words):
    with pytest.raises(ValueError, match=words):
        catalogue.read_faithfulness(text)
