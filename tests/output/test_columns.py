"""Rows on disk as columns: they come back exactly, the later of two counts, a torn one is dropped."""

import pytest
from full_disk import full_disk

pytest.importorskip("pyarrow")

from output import columns  # noqa: E402
from output.columns import ColumnTable  # noqa: E402

COLUMNS = {"method": "text", "image": "text", "value": "float", "index": "int"}
NAMES = ("plain.png", 'cats/a, "b"\nc\ré\U0001f408.png', b"caf\xe9.png".decode("utf-8", "surrogateescape"))


def row(image, value=0.5, method="FEM", index=3):
    return {"method": method, "image": image, "value": value, "index": index}


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table whose parts have four rows; called again, it is opened again."""
    monkeypatch.setattr(columns, "ROWS_PER_PART", 4)
    monkeypatch.setattr(columns, "RECENT", 3)
    return lambda: ColumnTable(tmp_path / "rows", COLUMNS, ("method", "image"))


@pytest.mark.parametrize("n", [1, 3, 4, 5, 11])
def test_rows_come_back_exactly_from_journal_and_parts(table, n):
    rows = [row(f"{number}{NAMES[number % 3]}", [0.1 + 0.2, 5e-324, None][number % 3]) for number in range(n)]
    table().append(rows)
    again = table()
    assert list(again.rows()) == rows and len(again) == n
    assert [again.find("FEM", one["image"]) for one in rows] == rows
    assert again.find("FEM", "other") is None


def test_of_two_rows_of_one_key_the_later_counts_wherever_the_first_is(table):
    held = table()
    held.append([row(str(number)) for number in range(6)])
    held.append([row("1", 7.0), row("5", 8.0)])
    held.append([row("5", 9.0)])
    for one in (held, table()):
        assert one.find("FEM", "1")["value"] == 7 and one.find("FEM", "5")["value"] == 9
        assert len(one) == 6 and sorted(found["image"] for found in one.rows()) == list("012345")
        values = dict(zip(*one.read(["image", "value"]).to_pydict().values()))
        assert values == {**dict.fromkeys("0234", 0.5), "1": 7, "5": 9}


def test_compacting_leaves_every_row_once_for_any_reader(table, tmp_path):
    import pyarrow.parquet

    held = table()
    held.append([row(str(number)) for number in range(6)])
    held.append([row("1", 7.0)])
    held.compact()
    read = pyarrow.parquet.read_table(tmp_path / "rows").to_pydict()
    assert dict(zip(read["image"], read["value"])) == {**dict.fromkeys("02345", 0.5), "1": 7}
    assert len(read["image"]) == 6 and not list((tmp_path / "rows").glob("_*"))
    assert held.find("FEM", "1")["value"] == 7, "its places are known anew"


def test_rows_are_changed_part_by_part(table):
    held = table()
    held.append([row(str(number)) for number in range(6)])
    held.compact(lambda one: {**one, "value": None})
    assert [one["value"] for one in table().rows()] == [None] * 6


def test_a_row_torn_at_the_end_is_dropped_and_does_not_spoil_the_next(table, tmp_path):
    table().append([row("a"), row("b")])
    journal = tmp_path / "rows" / "_000000.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])
    again = table()
    assert [one["image"] for one in again.rows()] == ["a"]
    again.append([row("c")])
    assert [one["image"] for one in table().rows()] == ["a", "c"]


def test_a_journal_that_has_become_a_part_counts_once(table, tmp_path):
    held = table()
    held.append([row(str(number)) for number in range(3)])
    journal = (tmp_path / "rows" / "_000000.jsonl").read_bytes()
    held.append([row("3")])
    (tmp_path / "rows" / "_000000.jsonl").write_bytes(journal)  # killed before it was removed
    assert len(table()) == 4
    table().append([row("4")])
    assert len(table()) == 5 and not (tmp_path / "rows" / "_000000.jsonl").exists()


def test_dropped_rows_are_not_found_and_leave_the_disk(table):
    held = table()
    held.append([row(str(number), float(number)) for number in range(6)])
    held.drop(["value"], lambda found: [value > 3 for value in found[0].to_pylist()])
    assert held.find("FEM", "5") is None and len(held) == 4
    held.compact()
    assert len(table()) == 4


def test_other_columns_are_refused(table, tmp_path):
    table().append([row(str(number)) for number in range(4)])
    with pytest.raises(ValueError, match="other columns than ours"):
        ColumnTable(tmp_path / "rows", {"method": "text", "image": "text"}, ("method", "image"))


def test_on_a_full_disk_the_journal_is_named_and_what_was_kept_stays(table, tmp_path):
    rows = table()
    rows.append([row("a.png")])
    with full_disk(100), pytest.raises(OSError) as error:
        rows.append([row("b" * 500)])
    assert error.value.filename == str(tmp_path / "rows" / "_000000.jsonl")
    again = table()
    assert again.find("FEM", "a.png") == row("a.png") and len(again) == 1
    again.append([row("b.png")])
    assert len(table()) == 2


@pytest.mark.parametrize("damage", ["empty", "half", "no parquet", "head of a page", "other types"])
def test_a_damaged_part_is_refused_by_its_name(table, tmp_path, damage):
    table().append([row(f"{number}.png") for number in range(4)])
    path = tmp_path / "rows" / "000000.parquet"
    content = path.read_bytes()
    if damage == "other types":
        import pyarrow.parquet

        found = pyarrow.parquet.read_table(path)
        place = found.schema.get_field_index("index")
        pyarrow.parquet.write_table(found.set_column(place, "index", found["value"]), path)
    else:
        changes = {"empty": b"", "half": content[: len(content) // 2], "no parquet": b"PAR1" + bytes(99)}
        path.write_bytes(changes.get(damage, content[:4] + b"\xff" * 30 + content[34:]))
    with pytest.raises(ValueError, match=f"'{path}'.*choose another --output_folder_path"):
        table().read(["method"])


@pytest.mark.parametrize("line", [b"garbage", b'{"a": 1}', b"[1, 2]", b'["FEM", 7, 0.5, 3]', bytes(9), b"[" * 9999])
def test_a_damaged_line_of_the_journal_is_refused_by_its_name(table, tmp_path, line):
    table().append([row("a.png")])
    path = tmp_path / "rows" / "_000000.jsonl"
    path.write_bytes(line + b"\n" + path.read_bytes())
    with pytest.raises(ValueError, match=f"cannot read '{path}' .*choose another --output_folder_path"):
        table()
