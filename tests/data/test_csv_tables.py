"""One reader of tables: what every program writes is read alike, and a line that is wrong is refused by its number."""

import pytest

from data.csv_tables import read_number, read_path, read_table, split_line

ROWS = [["a.png", "1", "40.5"], ["b é.png", "2", "30"]]


@pytest.fixture
def read(tmp_path):
    """`read(content, encoding)` -> head and rows (line, cells) of a file."""

    def read(content, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        table = read_table(path, "boxes")
        return table.head, list(table.rows())

    return read


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_separators_and_ends_of_lines_do_not_matter(read, encoding, separator, end):
    lines = [separator.join(cells) for cells in [["file", "n", "x"], *ROWS]]
    head, rows = read(end.join([*lines, ""]), encoding)
    assert head == ["file", "n", "x"]
    assert rows == [(2, ROWS[0]), (3, ROWS[1])]


def test_empty_lines_and_rows_are_passed_over_and_lines_keep_their_numbers(read):
    assert read("\na,b\n\n1,2\n,\n \n3,4")[1] == [(4, ["1", "2"]), (7, ["3", "4"])]


def test_a_quoted_field_may_hold_separators_and_doubled_quotes_and_any_length(read):
    long = "x" * 300_000  # more than twice what Python's csv module takes
    head, rows = read(f'a,"b, c"\n"say ""hi""",2\n "3" ,"{long}"\n')
    assert head == ["a", "b, c"]
    assert rows == [(2, ['say "hi"', "2"]), (3, ["3", long])]


def test_the_separator_inside_quotes_is_none(read):
    assert read('"a,b,c";d\n1;2\n')[0] == ["a,b,c", "d"]


def test_excels_own_line_names_the_separator(read):
    assert read("sep=;\na,b;c\n1;2\n") == (["a,b", "c"], [(3, ["1", "2"])])


@pytest.mark.parametrize(
    "text, words",
    [
        ("a,b\n1,2\n1,2,3\n", "line 3 .*has 3 fields, the first line 2; decimal commas want ';'"),
        ("image,x,y\na,1,5,2,5\n", "line 2 .*has 5 fields, the first line 3"),
        ("a;b\n1\n", "line 2 .*has 1 fields, the first line 2$"),
        ('a,b\n1,"2\n3,4\n5,6\n', "line 2 .*quote"),  # it would swallow the rest
        ('a,b\n1,"2\n3,"4\n', "line 2 .*quote"),  # it would swallow a line and end
        ('a,b\n1,"2"x\n', "line 2 .*quote"),
        ('a,b\n1,2"\n', "line 2 .*quote"),
        ('a,"b\n1,2\n', "line 1 .*quote"),
    ],
)
def test_a_line_that_is_wrong_is_refused_by_its_number(read, text, words):
    with pytest.raises(ValueError, match=f"boxes: {words}"):
        read(text)


@pytest.mark.parametrize("content", [b"a,b\n1,\0\n", bytes(2000), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xfea\0b"])
def test_what_is_no_text_is_refused(read, content):
    with pytest.raises(ValueError, match="boxes: .*(NUL|UTF-16)") as caught:
        read(content)
    assert "\0" not in str(caught.value)


def test_letters_that_are_no_utf_8_come_through(read):
    assert read(b"a\n\xe9.png\n")[1] == [(2, [b"\xe9.png".decode(errors="surrogateescape")])]


def test_a_file_that_is_not_there_or_empty(read, tmp_path):
    assert read("") == ([""], [])
    with pytest.raises(ValueError, match="taxonomy: there is no file 'nowhere.csv'"):
        read_table("nowhere.csv", "taxonomy")
    with pytest.raises(ValueError, match="there is no file"):
        read_table(tmp_path, "boxes")


def test_a_column_is_found_by_any_of_its_names_but_not_twice(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("File,x,X_px,y\n")
    table = read_table(path, "boxes")
    assert (table.find("file"), table.find("y_px", "y"), table.find("z")) == (0, 3, None)
    with pytest.raises(ValueError, match="two columns x or x_px"):
        table.find("x", "x_px")


@pytest.mark.parametrize("text, value", [("12", 12), ("-.5", -0.5), ("+1.", 1), ("1e3", 1000), ("2.5E-1", 0.25)])
def test_a_number_is_read(text, value):
    assert read_number(text) == read_number(text, decimal_comma=True) == value


def test_a_decimal_comma_is_read_where_no_comma_parts_the_columns():
    assert read_number("40,5", decimal_comma=True) == 40.5
    for text, comma in (("40,5", False), ("1.000,5", True), ("1,000,000", True)):
        with pytest.raises(ValueError, match="a number was wanted"):
            read_number(text, comma)


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e999", "1_000", "0x10", "١٢", "1 2", "12px"])
def test_what_is_no_finite_number_is_refused(text):
    with pytest.raises(ValueError, match="a number was wanted"):
        read_number(text)


def test_backslashes_of_windows_part_folders_too():
    assert read_path("cats\\1.jpg") == read_path("./cats/1.jpg") == "cats/1.jpg"


def test_a_million_quotes_take_no_time():
    assert split_line('"' * 1_000_001, ",") is None
