"""EyeLink's .asc in small: trials, images and where they stood on the screen, two eyes, blinks, and torn lines."""

import pytest

from data.dataset import load_dataset
from data.fixation_files import read_fixations

BEGIN = "** CONVERTED FROM s1.edf\nMSG\t1000 DISPLAY_COORDS 0 0 199 99\nSTART\t1001 \tLEFT\tRIGHT\tEVENTS\n"


@pytest.fixture
def write(tmp_path):
    def write(name, *trials, begin=BEGIN):
        path = tmp_path / name
        text = "".join(f"MSG\t2000 TRIALID {number}\n{trial}END\t3000\n" for number, trial in enumerate(trials))
        path.write_text(begin + text)
        return path

    return write


def fix(*places, eye="R"):
    return "".join(f"EFIX {eye}   2100\t2300\t201\t  {x}\t  {y}\t   1045\n" for x, y in places)


def read(path, image="a.png", unit=None):
    found = read_fixations(path, unit)[image]
    return found.unit, found.points.tolist(), found


def test_an_image_over_the_whole_screen_gives_fractions(write):
    unit, points, found = read(
        write("s1.asc", "MSG 2050 !V IMGLOAD FILL images/a.png\n" + fix((100, 25))), "images/a.png"
    )
    assert (unit, points, found.durations.tolist()) == ("fraction", [[0.5, 0.25]], [201])


def test_an_image_drawn_at_its_own_size_gives_pixels_from_its_corner_or_its_centre(write):
    centre = write("s1.asc", "MSG 2050 !V IMGLOAD CENTER a.png 100 50\n" + fix((110, 40)))
    assert read(centre)[:2] == ("centred", [[10, -10]])
    corner = write("s1.asc", fix((110, 40)) + "MSG 2050 -5 !V IMGLOAD TOP_LEFT a.png 20 10\n")  # may be sent later
    assert read(corner)[:2] == ("pixels", [[90, 30]])


def test_an_image_drawn_at_a_size_that_is_told_gives_fractions(write):
    centre = write("s1.asc", "MSG 2050 !V IMGLOAD CENTER ../my images/a.png 100 50 80 40\n" + fix((120, 40)))
    assert read(centre, "../my images/a.png")[:2] == ("fraction", [[0.75, 0.25]])
    corner = write("s1.asc", "MSG 2050 !V IMGLOAD TOP_LEFT a.png 20 10 80 40\n" + fix((40, 20)))
    assert read(corner)[:2] == ("fraction", [[0.25, 0.25]])


def test_an_image_that_a_variable_names_has_to_be_as_large_as_the_screen(write, tmp_path):
    from PIL import Image

    path = write("s1.asc", "MSG 2050 !V TRIAL_VAR picture a.png\n" + fix((110, 40)))
    unit, points, found = read(path)
    assert (unit, points, found.screen) == ("screen", [[110, 40]], (100, 200))
    (tmp_path / "images").mkdir()
    Image.new("RGB", (200, 100)).save(tmp_path / "images" / "a.png")
    assert load_dataset(tmp_path / "images", fixations=path)[0].fixations.points.tolist() == [[110, 40]]
    Image.new("RGB", (100, 100)).save(tmp_path / "images" / "a.png")
    with pytest.raises(ValueError, match="those of 'a.png' are .* screen of 200 x 100, the image has 100 x 100"):
        load_dataset(tmp_path / "images", fixations=path)
    assert load_dataset(tmp_path / "images", fixations=path, fixations_unit="pixels")[0].fixations.unit == "pixels"


def test_pixels_are_the_screens_when_the_user_says_that_they_are_the_images(write):
    path = write("s1.asc", "MSG 2050 !V IMGLOAD CENTER a.png 100 50\n" + fix((110, 40)))
    assert read(path, unit="pixels")[:2] == ("pixels", [[110, 40]])
    with pytest.raises(ValueError, match="pixels of the screen"):
        read_fixations(path, "fraction")


def test_each_file_is_an_observer_of_two_eyes_one_is_read_and_blinks_are_counted(write, tmp_path):
    shown = "MSG 2050 !V IMGLOAD FILL a.png\n"
    blink = "EBLINK L 2400\t2500\t101\nEBLINK R 2400\t2500\t101\n"
    write("s1.asc", shown + fix((20, 10), (".", "."), eye="L") + fix((100, 50), eye="R") + blink)
    write("s2.asc", shown + fix((40, 20)), "MSG 2050 !V IMGLOAD FILL b.png\n")
    found = read_fixations(tmp_path)
    assert found["a.png"].points.tolist() == [[0.1, 0.1], [0.2, 0.2]]
    assert (found["a.png"].observers.tolist(), found["a.png"].n_blinks) == ([0, 1], 2)
    assert len(found["b.png"]) == 0


@pytest.mark.parametrize(
    "trial, words",
    [
        (fix((1, 2)), "no trial of .* names an image"),
        ("MSG 1 !V IMGLOAD FILL a.png\nEFIX R 1\t2\t3\n", "line 6 .* is no EFIX of EyeLink's"),
        ("MSG 1 !V IMGLOAD CENTER a.png x y\n", "line 5 .* is no MSG"),
        ("MSG 1 !V IMGLOAD FILL a.png\nMSG 1 !V IMGLOAD FILL b.png\n", "line 4 .* shows a.png, b.png"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(write, trial, words):
    with pytest.raises(ValueError, match=words):
        read_fixations(write("s1.asc", trial))


def test_without_the_screen_there_are_no_fractions(write):
    with pytest.raises(ValueError, match="no message DISPLAY_COORDS"):
        read_fixations(write("s1.asc", "MSG 1 !V IMGLOAD FILL a.png\n" + fix((1, 2)), begin=""))


def test_high_rates_decimal_times_offsets_and_messages_between_trials_are_read(tmp_path):
    path = tmp_path / "s2.asc"
    path.write_text(
        "** CONVERTED FROM D:\\data\\s2.edf using edfapi 4.2.1\n** DATE: Mon Mar  4 10:00:00 2024\n"
        "MSG\t900.5 !CAL VALIDATION HV9 R RIGHT GOOD ERROR 0.31 avg. 0.62 max\n"
        "MSG\t1000.5 GAZE_COORDS 0.00 0.00 199.00 99.00\nMSG\t2000.5 TRIALID 1\n"
        "START\t2001.0 \tRIGHT\tSAMPLES\tEVENTS\nPRESCALER\t1\n"
        "EVENTS\tGAZE\tRIGHT\tRATE\t2000.00\tTRACKING\tCR\tFILTER\t2\n"
        "2001.5\t  100.1\t   50.2\t 1045.0\t...\n2002.0\t   .\t   .\t    0.0\t...\n"
        "MSG\t2002.5 -3 !V IMGLOAD FILL ..\\stimuli\\a.JPG\n"
        "SFIX R   2003.0\nEFIX R   2003.0\t2203.5\t201.0\t  100.0\t   25.0\t   1045\t  26.80\t  27.10\n"
        "ESACC R  2204\t2220\t17\t  100.0\t 25.0\t 120.0\t 30.0\t 1.2\t 80\n"
        "SBLINK R 2230.0\nEBLINK R 2230.0\t2300.5\t71.0\n"
        "MSG\t2500.0 !V TRIAL_VAR condition 1\nEND\t2501.0 \tSAMPLES\tEVENTS\tRES\t  26.8\t  27.1\n"
        "MSG\t2600.0 TRIAL_RESULT 0\n"
    )
    unit, points, found = read(path, "../stimuli/a.JPG")
    assert (unit, points, found.n_blinks, found.durations.tolist()) == ("fraction", [[0.5, 0.25]], 1, [201])
