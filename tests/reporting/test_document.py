"""A report: what the run's files say, in one page that needs nothing else and a document that LaTeX takes."""

import json
import re
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.records import Record
from pipeline.results import Results
from reporting.blocks import Best, Cite, Mention, PictureBlock, Section, TableBlock
from reporting.content import compose
from reporting.document import write_report
from reporting.render import _tex_text, render_html, render_tex, split_table
from reporting.report_figures import figure_extremes
from reporting.runs import Report

EVIL = "<b>&_%$#{}~^\\.png"  # a name that HTML and LaTeX would stumble over


def write_run(folder, images, methods=("GRADCAM", "RISE", "PEOPLE"), n=4, **flags):
    """A run of n images with PCC, NSS and curves; the first method is the best, the image `n - 1` the worst."""
    settings = {"seed": 0, "test_images_folder_path": str(images), "methods": {name: {} for name in methods}, **flags}
    model = {"model_name": "VGG16", "layer": "conv_5", "score": "softmax"}
    results = Results(folder, settings, {"model": model, "host": "my-own-machine"})
    for row, method in enumerate(methods):
        for number, name in enumerate(sorted(path.name for path in Path(images).iterdir())[:n]):
            value = 0.9 - 0.2 * row - number / 50
            record = Record(
                method,
                name,
                f"image_{number}",
                label="ab"[number % 2],
                pcc=value,
                nss=2 * value,
                insertion_auc=value / 2,
                deletion_auc=0.1,
                seconds=0.5,
                passes=1.0,
            )
            fractions = np.linspace(0, 1, 5)
            curves = np.stack([fractions, fractions * value, 1 - fractions], axis=1)
            results.add(record, np.outer(np.arange(6), np.arange(8)).astype(np.float32), curves)
    return results


def draw_images(folder):
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png", EVIL):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return draw_images(tmp_path_factory.mktemp("data") / "images")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, images):
    results = write_run(tmp_path_factory.mktemp("run") / "results", images)
    results.add(Record("GRADCAM", "broken.png", "broken", status="failed: damaged"))
    return results.folder


def make(*folders, output=None):
    """The text of the page, and of the document with the tables that it reads."""
    html, tex = (path.read_text(encoding="utf-8") for path in write_report(folders, output or folders[0], "A title"))
    read = re.findall(r"\\input\{(.*?)\}", tex)
    tables = [(Path(output or folders[0]) / f"{name}.tex").read_text(encoding="utf-8") for name in read]
    return html, "\n".join([tex, *tables])


@pytest.fixture(scope="module")
def pages(run_folder):
    """The text of the page and of the document."""
    return make(run_folder)


# --- what it says ------------------------------------------------------------------------------------------------
def test_the_report_says_what_the_run_recorded(pages):
    html, tex = pages
    for text in (html, tex.replace("\\_", "_")):
        assert all(
            word in text
            for word in ("A title", "GRADCAM", "RISE", "conv_5", f"numpy {np.__version__}", "failed: damaged")
        )
        assert re.search(r"0\.870 \[0\.\d{3}, 0\.\d{3}\]", text), "the mean PCC of GRADCAM with its interval"
    assert "broken.png" not in html, "reasons are counted, not listed by image"


def test_the_results_stand_first_and_how_they_were_made_last(run_folder):
    titles = [section.title for section in compose(Report([run_folder]))]
    assert titles[:2] == ["Results", "Which differences stand"]
    assert titles[-3:] == ["What is missing", "Methods", "Set-up"]


def test_who_reads_it_learns_neither_the_machine_nor_the_folders_of_its_author(run_folder, pages, images):
    description = Report([run_folder]).descriptions[0]
    assert description["settings"]["test_images_folder_path"] == str(images), "the run knows them"
    for text in pages:
        assert "my-own-machine" not in text and str(images.parent) not in text
        assert "those of images." in text


def test_what_was_done_is_said_in_words_with_the_papers(run_folder, pages):
    html, tex = pages
    for word in ("VGG16", "conv\\_5", "\\cite{selvaraju2017}", "\\cite{wilcoxon1945}", "\\cite{holm1979}", "95 \\%"):
        assert word in tex.split(r"\section{Methods}")[1]
    assert "Grad-CAM: Visual Explanations" in html and "Individual Comparisons by Ranking Methods" in html
    cited = set(",".join(re.findall(r"\\cite\{(.*?)\}", tex)).split(","))
    assert set(re.findall(r"@\w+\{(\w+),", (run_folder / "references.bib").read_text())) == cited
    assert set(re.findall(r"\\ref\{(.*?)\}", tex)) <= set(re.findall(r"\\label\{(.*?)\}", tex))


def test_baselines_and_the_ceiling_are_explained_and_are_no_methods(run_folder, pages):
    found = Report([run_folder])
    assert found.rows == ["GRADCAM", "RISE", "PEOPLE"] and found.methods == ["GRADCAM", "RISE"]
    assert "PEOPLE is the ceiling" in pages[0]


def test_differences_between_rows_are_tested(tmp_path):
    images = draw_images(tmp_path / "images")
    for number in range(9):
        shutil.copy(images / "a.png", images / f"more_{number}.png")
    folder = write_run(tmp_path / "results", images, n=13).folder
    [section] = [one for one in compose(Report([folder])) if one.title == "Which differences stand"]
    table = next(block for block in section.blocks if isinstance(block, TableBlock))
    assert ["PCC", "GRADCAM", "RISE", "13", "+0.200", "+1.00"] in [list(row[:6]) for row in table.rows]
    [results] = [one for one in compose(Report([folder])) if one.title == "Results"]
    bold = {(table.head[at].split()[0], row[0]) for table in results.blocks if isinstance(table, TableBlock)
            for row in table.rows for at, cell in enumerate(row) if isinstance(cell, Best)}  # fmt: skip
    assert bold == {("PCC", "GRADCAM"), ("NSS", "GRADCAM"), ("insertion", "GRADCAM")}, "not deletion, which is equal"
    html, _ = make(folder)
    assert "GRADCAM better than RISE on PCC" in html and "<strong>" in html


def test_of_many_differences_each_rows_are_counted(tmp_path):
    images = draw_images(tmp_path / "images")
    for number in range(9):
        shutil.copy(images / "a.png", images / f"more_{number}.png")
    methods = ("GRADCAM", "FEM", "RISE", "LIME", "CAM", "OCCLUSION")  # each better than the next: 15 pairs, 3 metrics
    report = Report([write_run(tmp_path / "results", images, methods, n=13).folder])
    [section] = [one for one in compose(report) if one.title == "Which differences stand"]
    table = next(block for block in section.blocks if isinstance(block, TableBlock))
    assert table.head == ("method", "PCC", "NSS", "insertion"), "deletion is equal everywhere"
    plain = [[re.sub(r"[^A-Z0-9/]", "", cell) for cell in row] for row in table.rows]
    assert plain == [[name, *[f"{5 - place}/{place}"] * 3] for place, name in enumerate(methods)]


def test_images_are_ranked_by_likeness_to_gaze(run_folder):
    found = Report([run_folder])
    assert found.judged_by == "nss"
    ranked = [image for image, _ in found.rank_images("GRADCAM")]
    worst_first = [image for image, _ in found.most_different()]
    assert ranked == worst_first[::-1] and ranked == sorted(ranked)


def test_several_runs_stand_side_by_side(tmp_path, images, run_folder):
    other = write_run(tmp_path / "other", images, methods=("GRADCAM",)).folder
    found = Report([run_folder, other])
    assert found.rows == ["GRADCAM in results", "RISE in results", "PEOPLE in results", "GRADCAM in other"]
    assert found.methods == ["GRADCAM in results", "RISE in results", "GRADCAM in other"]
    assert found.curves("GRADCAM in other")[1].shape == (4, 5)
    assert "GRADCAM in other" in make(run_folder, other)[0]


def test_runs_in_folders_of_one_name_are_told_apart(tmp_path, images):
    folders = [write_run(tmp_path / name / "results", images, methods=("GRADCAM",)).folder for name in "ab"]
    assert Report(folders).rows == ["GRADCAM in a/results", "GRADCAM in b/results"]
    assert len(Report([folders[0], folders[0]]).runs) == 1, "the same folder twice is one run"


# --- how it is set -------------------------------------------------------------------------------------------------
def test_the_page_needs_nothing_but_itself(run_folder, pages):
    html, _ = pages
    assert {target[:15] for target in re.findall(r'(?:src|href)="([^"]+)', html) if target[0] != "#"} == {
        "data:image/png;"
    }
    assert "<script" not in html and "@import" not in html and "url(" not in html
    figures = len(re.findall("<figure ", html))
    assert figures == len(list((run_folder / "report_figures").iterdir())) >= 4
    assert html.count("<table") == html.count("</table>") and html.count("alt=") == figures


def test_names_of_files_are_text_not_markup():
    table = TableBlock("name", ("image", "PCC ↑"), [(EVIL, "0.5")], EVIL)
    html = render_html("t", [Section("s", [table])])
    assert "<b>&" not in html and "&lt;b&gt;&amp;_%$#{}~^\\.png" in html
    tex = "".join(render_tex("t", [Section("s", [table])], "tables", "figures").values())
    assert r"$<$b$>$\&\_\%\$\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}.png" in tex
    assert r"PCC $\uparrow$" in tex and "ü" in render_tex("ü", [], "", "")["report.tex"] and "?" in _tex_text("神")


def test_the_document_has_its_pictures_beside_it(run_folder, pages):
    _, tex = pages
    for name in re.findall(r"\\includegraphics\[.*?\]\{(.*?)\}", tex):
        assert (run_folder / name).is_file()
    assert tex.count(r"\begin{tabular}") == tex.count(r"\end{tabular}") > 3
    assert tex.count(r"\includegraphics") == len(list((run_folder / "report_figures").glob("*.pdf")))


def test_a_table_too_wide_for_a_page_is_one_in_the_page_and_several_in_the_document():
    table = TableBlock("wide", ("method", *"abcdef"), [("FEM", *"123456")], "All", 1)
    parts = split_table(table)
    assert [part.name for part in parts] == ["wide", "wide_2"] and parts[1].caption == "All, continued"
    assert [list(part.head) for part in parts] == [["method", *"abcd"], ["method", *"ef"]]
    assert list(parts[1].rows[0]) == ["FEM", "5", "6"]
    many = TableBlock("many", ("a", "b"), [(str(row), "") for row in range(100)], "All")
    assert [(part.name, len(part.rows)) for part in split_table(many)] == [("many", 45), ("many_2", 45), ("many_3", 10)]
    section = Section("s", [[Mention("wide"), " ", Cite(("holm1979",))], table])
    html = render_html("t", [section])
    assert html.count("<table>") == 1 and '<a href="#wide">Table 1</a> [<a href="#reference-1">1</a>]' in html
    assert r"Table~\ref{wide} \cite{holm1979}" in render_tex("t", [section], "tables", "figures")["report.tex"]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
@pytest.mark.parametrize("n_runs", [1, 2])
def test_latex_sets_the_document_without_a_warning(run_folder, pages, images, tmp_path, n_runs):
    if n_runs == 2:
        other = write_run(tmp_path / "a_folder_with_a_name_that_is_rather_long", images).folder
        run_folder, _ = tmp_path, make(run_folder, other, output=tmp_path)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    for call in (command, ["bibtex", "report"], command, command):
        assert subprocess.run(call, cwd=run_folder, capture_output=True).returncode == 0
    assert (run_folder / "report.pdf").stat().st_size > 10_000
    said = (run_folder / "report.log").read_text(errors="replace") + (run_folder / "report.blg").read_text()
    assert not re.findall(r"(?:Warning|Overfull|Underfull|Missing character).*", said)


def test_each_figure_is_drawn(run_folder):
    pictures = [b for s in compose(Report([run_folder])) for b in s.blocks if isinstance(b, PictureBlock)]
    names = [picture.name for picture in pictures]
    assert names == ["boxes", "curves", "scatter", "extremes", "most_different"]
    for picture in pictures:
        canvas = picture.figure.canvas
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        assert pixels.std() > 5, picture.name
        edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        assert (edge > 250).all(), f"something is cut off in {picture.name}"


def test_methods_of_unlike_many_images_stand_in_one_figure_the_worst_at_the_right(tmp_path, images):
    results = write_run(tmp_path / "results", images, methods=("GRADCAM", "RISE"))
    few = [record for record in results.records.values() if record.method == "RISE"][2:]
    for record in few:
        results.add(replace(record, status="failed: damaged", pcc=None, nss=None))
    report = Report([results.folder])
    assert [len(report.rank_images(row)) for row in ("GRADCAM", "RISE")] == [4, 2]
    figure = figure_extremes(report)
    titles = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert sum("PCC" in title or "NSS" in title for title in titles) == 4 + 2


# --- what is missing -------------------------------------------------------------------------------------------------
def test_images_that_are_there_no_more_are_said_to_be_missing(tmp_path):
    images = draw_images(tmp_path / "images")
    folder = write_run(tmp_path / "results", images, methods=("GRADCAM",)).folder
    shutil.rmtree(images)
    assert "0.870" in make(folder)[0] and Report([folder]).read_image("a.png") is None


def test_a_run_without_gaze_or_curves_has_a_report_too(tmp_path, images):
    results = Results(tmp_path / "plain", {"test_images_folder_path": str(images), "methods": {"FEM": {}}}, {})
    results.add(Record("FEM", "a.png", "a", seconds=0.1), np.ones((3, 4), np.float32))
    html, _ = make(results.folder)
    assert "FEM" in html and "<img" not in html


def test_images_are_read_as_the_run_read_them(tmp_path, monkeypatch):
    photograph = Image.fromarray(np.zeros((1000, 1100, 3), np.uint8))
    exif = photograph.getexif()
    exif[0x0112] = 6  # to be turned by a quarter
    (tmp_path / "images").mkdir()
    photograph.save(tmp_path / "images" / "a.png", exif=exif)
    monkeypatch.setattr("constants.MAX_IMAGE_PIXELS", 10**6)

    def read(name, flags, **settings):
        write_run(tmp_path / name, tmp_path / "images", n=1, **settings)
        path = tmp_path / name / "run.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "flags": flags}))
        return Report([tmp_path / name]).read_image("a.png")

    assert read("an_old_run", None) is None and read("usual", {"max_megapixels": 1}) is None
    assert read("large", {"max_megapixels": 2}).shape == (1100, 1000, 3)
    assert read("kept", {"max_megapixels": 2}, exif="keep").shape == (1000, 1100, 3)


@pytest.mark.parametrize("source", ["a.png", "packed.tar", "list.txt"])
def test_images_are_found_in_whatever_the_run_found_them_in(tmp_path, images, source):
    results = write_run(tmp_path / "results", images)
    with tarfile.open(tmp_path / "packed.tar", "w") as archive:
        archive.add(images / "a.png", "a.png")
    (tmp_path / "list.txt").write_text("a.png\nhttps://127.0.0.1:1/b.png\n")
    shutil.copy(images / "a.png", tmp_path / "a.png")
    description = json.loads((results.folder / "run.json").read_text())
    description["settings"]["test_images_folder_path"] = str(tmp_path / source)
    (results.folder / "run.json").write_text(json.dumps(description))
    report = Report([results.folder])
    np.testing.assert_array_equal(report.read_image("a.png"), np.asarray(Image.open(images / "a.png")))
    assert report.read_image("b.png") is None
