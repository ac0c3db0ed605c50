"""Files of fixations: the csv, MexCulture142's text files and any others, their numbers, and what is refused."""

import numpy as np
import pytest
from planted import DATA

from data.fixation_files import read_fixations

HEAD = "image,observer,fixation,x_px,y_px,duration_ms\n"


def write(folder, **files):
    """The folder with a text file of each name and content; '__' in a name stands for '/'."""
    for name, content in files.items():
        path = folder / (name.replace("__", "/") + ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def write_csv(tmp_path, text):
    path = tmp_path / "fixations.csv"
    path.write_text(text, encoding="utf-8")
    return path


# --- csv -----------------------------------------------------------------------------------------------------
def test_a_csv_gives_each_image_its_observers_points_and_durations(tmp_path):
    rows = "b.jpg,7,1,1.5,2,200\na.jpg,7,1,3,4,100\nb.jpg,12,1,5,6,\n\nb.jpg,7,2,7,8,50\n"
    found = read_fixations(write_csv(tmp_path, HEAD + rows))
    assert list(found) == ["b.jpg", "a.jpg"]
    fixations = found["b.jpg"]
    np.testing.assert_array_equal(fixations.points, [[1.5, 2], [5, 6], [7, 8]])
    assert fixations.points.dtype == np.float64
    assert fixations.observers.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(fixations.durations, [200, np.nan, 50])
    assert (fixations.n_observers, fixations.observers_known, found["a.jpg"].n_observers) == (2, True, 1)


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        ("y,X,observer,image", ""),
        ("\ufeff y_px , x_px,Observer,IMAGE", ""),
        ("y,x_px,observer,image,note", ","),
        ("Y [px],X [px],observer,image", ""),
    ],
)
def test_columns_are_known_by_their_names_wherever_they_stand(tmp_path, head, rest):
    fixations = read_fixations(write_csv(tmp_path, f"{head}\n2,1,anna,cats/1.png{rest}\n"))["cats/1.png"]
    assert (fixations.points.tolist(), fixations.durations) == ([[1, 2]], None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no column image; wanted are .* it has none"),
        ("image;observer;x\n", "no column y or y_px"),
        ("image,observer,x,duration\n", "no column y or y_px; .* it has image, observer, x, duration"),
        ("image,observer,x,x_px,y\n", "two columns x or x_px"),
        (HEAD, "no row under its head"),
        (HEAD + "a.jpg,1,1,3,4,100\na.jpg,1,2,x,4,100\n", "line 3 .* numbers; got x, 4, 100"),
        (HEAD + "a.jpg,1,1,inf,4,100\n", "line 2 .* numbers; got inf"),
        (HEAD + "a.jpg,1,1,3,4\n", "line 2 .* has 5 fields, the first line 6"),
        (HEAD + "a.jpg,1,1,3,5,4,100\n", "line 2 .* has 7 fields"),
        (HEAD + 'a.jpg,1,1,3,4,"100\na.jpg,1,2,3,4,100\n', "line 2 .* quote"),
        (HEAD + ",1,1,3,4,100\n", "line 2 .* names no image"),
        (HEAD + "a.jpg,,1,3,4,100\n", "line 2 .* names no observer"),
    ],
)
def test_a_csv_of_another_layout_is_refused_and_the_place_named(tmp_path, text, reason):
    with pytest.raises(ValueError, match=f"fixations: .*{reason}"):
        read_fixations(write_csv(tmp_path, text))


@pytest.mark.parametrize("nothing", ["", "nan", "NaN", ".", "null"])
def test_a_row_without_a_place_is_a_blink(tmp_path, nothing):
    rows = f"a.jpg,1,1,3,4,100\na.jpg,2,1,{nothing},{nothing},90\nb.jpg,1,1,5,{nothing},80\n"
    found = read_fixations(write_csv(tmp_path, HEAD + rows))
    assert {name: (len(one), one.n_blinks, one.n_observers) for name, one in found.items()} == {
        "a.jpg": (1, 1, 2),
        "b.jpg": (0, 1, 1),
    }


def test_semicolons_with_decimal_commas_and_backslashes_are_read(tmp_path):
    found = read_fixations(write_csv(tmp_path, "image;observer;x;y;duration\ncats\\1.jpg;1;40,5;30,25;200\n"))
    assert found["cats/1.jpg"].points.tolist() == [[40.5, 30.25]]


def test_fractions_are_never_taken_for_pixels_nor_pixels_for_fractions(tmp_path):
    path = write_csv(tmp_path, "image,observer,x,y\na.jpg,1,0.5,0.25\na.jpg,1,1.04,-0.02\n")
    with pytest.raises(ValueError, match="about 0-1.*--fixations_unit=fraction.*--fixations_unit=pixels"):
        read_fixations(path)
    assert read_fixations(path, "fraction")["a.jpg"].unit == "fraction"
    assert read_fixations(path, "pixels")["a.jpg"].unit == "pixels"
    path = write_csv(tmp_path, "image,observer,x,y\na.jpg,1,0.5,0.25\na.jpg,1,300,0.2\n")
    with pytest.raises(ValueError, match="x = 300, y = 0.2, which is no fraction"):
        read_fixations(path, "fraction")
    with pytest.raises(ValueError, match="one of pixels, fraction; got 'inches'"):
        read_fixations(path, "inches")


# --- folders of text files -----------------------------------------------------------------------------------
def test_scan_paths_of_mexculture_tell_observers_and_milliseconds(tmp_path):
    write(
        tmp_path,
        Colonial_A_Puebla_ScanPath_N_2_P_10="5 6 0.25\n",
        Colonial_A_Puebla_ScanPath_N_2_P_2="1 2 0.1\n3 4 0\n",
        Colonial_A_Puebla_ScanPath_N_2_P_3="",
        Modern_B_Puebla_ScanPath_N_1_P_1="7 8 0.3\n",
    )
    found = read_fixations(tmp_path)
    assert list(found) == ["Colonial_A_Puebla_N_2", "Modern_B_Puebla_N_1"]
    fixations = found["Colonial_A_Puebla_N_2"]
    np.testing.assert_array_equal(fixations.points, [[1, 2], [3, 4], [5, 6]])
    np.testing.assert_allclose(fixations.durations, [100, 0, 250])
    assert fixations.observers.tolist() == [0, 0, 2]  # participants 2, 3, 10, the second of whom saw nothing
    assert (fixations.n_observers, fixations.n_blank, fixations.n_without_duration) == (3, 1, 1)


def test_points_of_all_participants_count_as_one_observers(tmp_path):
    write(tmp_path, Colonial_A_Puebla_GazeFix_N_2="1 2\n3.5\t4\n\n")
    fixations = read_fixations(tmp_path)["Colonial_A_Puebla_N_2"]
    assert fixations.points.tolist() == [[1, 2], [3.5, 4]]
    assert (fixations.n_observers, fixations.observers_known, fixations.durations) == (1, False, None)


def test_where_there_are_scan_paths_the_points_of_all_are_not_counted_twice(tmp_path):
    write(
        tmp_path,
        README="a data set",
        fixations__Colonial_A_Puebla_GazeFix_N_1="1 2\n",
        fixations__Modern_B_X_GazeFix_N_1="5 6",
        scanpaths__Colonial_A_Puebla_ScanPath_N_1_P_1="1 2 0.1\n",
    )
    found = read_fixations(tmp_path)
    assert {name: fixations.observers_known for name, fixations in found.items()} == {
        "Colonial_A_Puebla_N_1": True,
        "Modern_B_X_N_1": False,
    }
    assert len(found["Colonial_A_Puebla_N_1"]) == 1


def test_any_other_text_file_is_of_the_image_of_its_stem(tmp_path):
    found = read_fixations(write(tmp_path, dog="1 2 0.1\n", cats__1="3 4\n", empty=""))
    assert {name: fixations.points.tolist() for name, fixations in found.items()} == {
        "cats/1": [[3, 4]],
        "dog": [[1, 2]],
        "empty": [],
    }
    assert found["dog"].durations.tolist() == [100]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("1 2 3 4\n", "x y or x y seconds .* it has 4 columns"),
        ("1 2\n1 2 3\n", "it has 2 or 3 columns"),
        ("12,5 30,1\n", "line 1 .* got 12,5, 30,1"),
        ("1 2\n\nx 2\n", "line 3 .* got x, 2"),
        ("inf 2\n", "line 1 .* got inf"),
    ],
)
def test_a_text_file_of_another_layout_is_refused_and_named(tmp_path, content, reason):
    with pytest.raises(ValueError, match=f"fixations: .*{reason}") as raised:
        read_fixations(write(tmp_path, dog=content))
    assert "dog.txt" in str(raised.value)


def test_two_files_of_one_participant_are_refused(tmp_path):
    write(tmp_path, a__Modern_B_X_ScanPath_N_1_P_1="1 2 3", b__Modern_B_X_ScanPath_N_1_P_01="1 2 3")
    with pytest.raises(ValueError, match="P_1.txt.*P_01.txt.*same image"):
        read_fixations(tmp_path)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(ValueError, match="no file or folder .*nowhere"):
        read_fixations(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no .txt, .mat, .asc, .json or .hdf5 file"):
        read_fixations(tmp_path)


# --- real data -----------------------------------------------------------------------------------------------
@pytest.mark.data
def test_every_fixation_of_osie_is_read():
    found = read_fixations(DATA / "osie" / "fixations.csv")
    assert (len(found), sum(map(len, found.values()))) == (60, 8349)
    assert {fixations.n_observers for fixations in found.values()} == {15}
    assert sum(fixations.inside(600, 800).n_outside for fixations in found.values()) == 0
    assert min(fixations.durations.min() for fixations in found.values()) == 20
