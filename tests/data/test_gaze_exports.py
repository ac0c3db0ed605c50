"""Tables of eye trackers, each in small as it is exported: which columns are read, and in which unit."""

import pytest

from data.fixation_files import read_fixations

TOBII = (
    "Recording timestamp\tSensor\tParticipant name\tPresented Stimulus name\tEye movement type\t"
    "Gaze event duration\tEye movement type index\tFixation point X\tFixation point Y\t"
    "Fixation point X (MCSnorm)\tFixation point Y (MCSnorm)\n"
)


@pytest.fixture
def write(tmp_path):
    """`write(name, text, encoding)` -> the path of the file."""

    def write(name, text, encoding="utf-8"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding))
        return path

    return write


def places(fixations):
    return [tuple(point) for point in fixations.points.tolist()]


# --- Tobii -----------------------------------------------------------------------------------------------------
def tobii_rows(decimal="."):
    rows = [
        "10\tEye Tracker\tP1\t\tFixation\t100\t1\t500\t400\t\t",  # on no image
        "20\tEye Tracker\tP1\ta.png\tSaccade\t20\t1\t\t\t\t",
        "30\tEye Tracker\tP1\ta.png\tFixation\t250\t2\t960\t540\t0.5\t0.25",
        "40\tEye Tracker\tP1\ta.png\tFixation\t250\t2\t960\t540\t0.5\t0.25",  # the same, a sample later
        "50\tEye Tracker\tP1\ta.png\tEyesNotFound\t90\t3\t\t\t\t",
        "60\tEye Tracker\tP1\ta.png\tFixation\t130\t4\t100\t100\t\t",  # beside the image
        "70\tEye Tracker\tP2\ta.png\tFixation\t310\t2\t200\t300\t0.125\t1.01",
    ]
    return "\n".join(rows).replace(".", decimal).replace(f"a{decimal}png", "a.png") + "\n"


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tobii_pro_gives_each_fixation_once_in_fractions_of_the_image(write, decimal, encoding):
    [(image, found)] = read_fixations(write("tobii.tsv", TOBII + tobii_rows(decimal), encoding)).items()
    assert (image, found.unit) == ("a.png", "fraction")
    assert places(found) == [(0.5, 0.25), (0.125, 1.01)]
    assert found.durations.tolist() == [250, 310] and found.observers.tolist() == [0, 1]
    assert found.n_blinks == 1


def test_the_newer_names_of_tobii_are_known_too(write):
    head = TOBII.replace("(MCSnorm)", "[MCS norm]").replace("duration", "duration [ms]")
    found = read_fixations(write("tobii.tsv", head + tobii_rows()))["a.png"]
    assert places(found) == [(0.5, 0.25), (0.125, 1.01)] and found.durations.tolist() == [250, 310]


def test_pixels_of_the_screen_are_taken_as_the_images_only_when_that_is_said(write):
    lines = [line.split("\t")[:9] for line in (TOBII + tobii_rows()).splitlines()]
    path = write("tobii.tsv", "\n".join("\t".join(cells) for cells in lines))
    with pytest.raises(ValueError, match="pixels of the screen: --fixations_unit=pixels .*MCSnorm"):
        read_fixations(path)
    assert places(read_fixations(path, "pixels")["a.png"]) == [(960, 540), (100, 100), (200, 300)]


def test_an_export_without_its_image_says_which_column_is_missing(write):
    with pytest.raises(ValueError, match="an export of Tobii and has no column presented stimulus name"):
        read_fixations(write("tobii.tsv", TOBII.replace("Presented Stimulus name", "Event")))


# --- Data Viewer -----------------------------------------------------------------------------------------------
def test_a_fixation_report_of_data_viewer_is_of_the_screen_and_a_point_is_a_blink(write):
    head = "RECORDING_SESSION_LABEL\tTRIAL_INDEX\timage\tpicture\tCURRENT_FIX_X\tCURRENT_FIX_Y\tCURRENT_FIX_DURATION\n"
    rows = "s1\t1\ta.png\tx\t512.3\t384.1\t220\ns1\t1\ta.png\tx\t.\t.\t80\ns2\t1\ta.png\tx\t100\t50\t.\n"
    path = write("report.txt", head + rows)
    with pytest.raises(ValueError, match="CURRENT_FIX_X and CURRENT_FIX_Y, pixels of the screen"):
        read_fixations(path)
    found = read_fixations(path, "pixels")["a.png"]
    assert places(found) == [(512.3, 384.1), (100, 50)]
    assert (found.n_observers, found.n_blinks, found.n_without_duration) == (2, 1, 1)


# --- Pupil Labs ------------------------------------------------------------------------------------------------
SURFACE = "world_timestamp,world_index,fixation_id,start_timestamp,duration,dispersion,norm_pos_x,norm_pos_y,on_surf\n"


def test_surfaces_of_pupil_core_count_y_from_the_bottom_and_frames_of_a_fixation_once(write, tmp_path):
    rows = "1,1,7,1,200,1,0.25,0.75,True\n2,2,7,1,200,1,0.75,0.25,True\n3,3,8,2,150,1,3.0,2.0,False\n"
    for person in ("p1", "p2"):
        write(f"{person}/exports/000/surfaces/fixations_on_surface_a.csv", SURFACE + rows)
    [(image, found)] = read_fixations(tmp_path).items()
    assert (image, found.unit, found.n_observers) == ("a", "fraction", 2)
    assert places(found) == [(0.5, 0.5), (0.5, 0.5)] and found.durations.tolist() == [200, 200]
    top = SURFACE + "1,1,7,1,200,1,0.1,0.9,True\n"
    assert places(read_fixations(write("fixations_on_surface_b.csv", top))["b"]) == [(0.1, pytest.approx(0.1))]


def test_fixations_on_a_reference_image_are_its_pixels(write):
    head = (
        "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
        "fixation detected in reference image,fixation x [px],fixation y [px]\n"
    )
    rows = "s,r1,1,1,2,220,True,812.5,455.25\ns,r1,2,3,4,180,False,,\ns,r2,1,1,2,90,True,10,20\n"
    found = read_fixations(write("fixations.csv", head + rows))["reference_image"]
    assert places(found) == [(812.5, 455.25), (10, 20)]
    assert (found.unit, found.n_observers, found.durations.tolist()) == ("pixels", 2, [220, 90])


def test_a_table_of_no_known_program_says_what_is_wanted(write):
    with pytest.raises(ValueError, match="no column image; wanted are .* or an export of Tobii, Data Viewer"):
        read_fixations(write("gaze.csv", "time,left,right\n1,2,3\n"))


# --- PsychoPy --------------------------------------------------------------------------------------------------
PSYCHOPY = "participant\timage\ttrials.thisN\tevent_id\ttime\teye\tduration\taverage_gaze_x\taverage_gaze_y\n"
PSYCHOPY_ROWS = (
    "p01\timages/a.png\t0\t17\t1.25\t1\t0.25\t-30.0\t20.5\n"
    "p01\timages/a.png\t0\t18\t1.60\t1\t0.125\tnan\tnan\n"
    "p02\timages/a.png\t0\t9\t1.31\t1\t0.5\t10.0\t-4.0\n"
)


def test_psychopy_counts_from_the_middle_of_the_screen_y_up_and_in_seconds(write):
    [(image, found)] = read_fixations(write("a.FixationEndEvent.txt", PSYCHOPY + PSYCHOPY_ROWS), "pixels").items()
    assert (image, found.n_blinks, found.durations.tolist()) == ("images/a.png", 1, [250, 500])
    assert places(found.in_pixels(100, 200)) == [(70, 29.5), (110, 54)]


@pytest.mark.parametrize("unit", [None, "fraction"])
def test_where_psychopys_image_stood_is_asked_for(write, unit):
    with pytest.raises(ValueError, match="--fixations_unit=pixels says .* at its own size in the middle"):
        read_fixations(write("a.txt", PSYCHOPY + PSYCHOPY_ROWS), unit)


def test_units_of_psychopy_that_are_no_pixels_are_refused(write):
    rows = "p01\ta.png\t0\t17\t1.25\t1\t0.25\t-0.3\t0.205\n"
    with pytest.raises(ValueError, match="units height or norm, and pix were wanted"):
        read_fixations(write("a.txt", PSYCHOPY + rows), "pixels")


# --- as real exports have them: several recordings, both eyes, another camera, a file per recording ----------------
def test_two_recordings_of_one_person_count_their_fixations_anew(write):
    head = TOBII.replace("Participant name", "Participant name\tRecording name")
    row = "30\tEye Tracker\tP1\t{}\ta.png\tFixation\t250\t1\t960\t540\t{}\t0.25\n"
    rows = row.format("first", 0.5) + row.format("second", 0.75)
    found = read_fixations(write("tobii.tsv", head + rows))["a.png"]
    assert places(found) == [(0.5, 0.25), (0.75, 0.25)] and found.n_observers == 1


def test_studios_names_without_blanks_are_known(write):
    head = "ParticipantName;MediaName;GazeEventType;GazeEventDuration;FixationIndex;FixationPointX (MCSpx);"
    head += "FixationPointY (MCSpx)\n"
    rows = "P1;a.jpg;Fixation;250;1;12,5;7\nP1;a.jpg;Fixation;250;1;12,5;7\nP1;a.jpg;Unclassified;20;;;\n"
    found = read_fixations(write("studio.csv", head + rows))["a.jpg"]
    assert (found.unit, places(found), found.durations.tolist()) == ("pixels", [(12.5, 7)], [250])


def test_a_folder_may_hold_a_table_per_recording(write, tmp_path):
    for person in ("P1", "P2"):
        rows = tobii_rows().partition("70\t")[0].replace("P1", person)
        write(f"{person}.tsv", TOBII + rows, "utf-16")
    found = read_fixations(tmp_path)["a.png"]
    assert found.n_observers == 2 and places(found) == [(0.5, 0.25)] * 2
    pixels = TOBII.replace("norm", "px") + tobii_rows()
    write("P3.tsv", pixels, "utf-16")
    with pytest.raises(ValueError, match="P3.tsv' has 'a.png' in pixels, a table before it in fraction"):
        read_fixations(tmp_path)


@pytest.mark.parametrize(
    "head, left, right",
    [
        ("RECORDING_SESSION_LABEL,EYE_USED,image,CURRENT_FIX_X,CURRENT_FIX_Y,CURRENT_FIX_DURATION\n", "LEFT", "RIGHT"),
        ("participant,eye,image,average_gaze_x,average_gaze_y,duration\n", "21", "22"),
        ("observer,eye,image,x,y,duration\n", "L", "R"),
    ],
)
def test_of_two_eyes_the_one_with_more_fixations_is_read_for_each_observer(write, head, left, right):
    rows = [f"s1,{left},a.png,10,20,1", f"s1,{right},a.png,11,21,1", f"s1,{right},a.png,50,60,1"]
    rows += [f"s2,{left},a.png,30,40,1", f"s2,{right},a.png,31,41,1"]
    found = read_fixations(write("report.csv", head + "\n".join(rows)), "pixels")["a.png"]
    assert found.points[:, 0].tolist() == [11, 50, 30] and found.observers.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "text, words",
    [
        (
            "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
            "fixation x [px],fixation y [px],azimuth [deg],elevation [deg]\ns,r,1,1,2,220,812.5,455.25,1,2\n",
            "export of Pupil Cloud and has no column fixation detected in reference image",
        ),
        (
            "id,start_timestamp,duration,start_frame_index,end_frame_index,norm_pos_x,norm_pos_y,dispersion\n"
            "1,1,200,1,5,0.5,0.5,1\n",
            "export of Pupil Core and has no column on_surf",
        ),
    ],
)
def test_places_in_the_picture_of_a_head_camera_are_no_places_in_the_image(write, text, words):
    with pytest.raises(ValueError, match=words):
        read_fixations(write("fixations.csv", text))


def test_a_folder_of_psychopys_reports_is_read(write, tmp_path):
    for person in ("p01", "p03"):
        rows = PSYCHOPY_ROWS.replace("p01", person).replace("p02", person)
        write(f"{person}.FixationEndEvent.txt", PSYCHOPY + rows)
    found = read_fixations(tmp_path, "pixels")["images/a.png"]
    assert found.n_observers == 2 and len(found) == 4
