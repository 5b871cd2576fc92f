"""What the docs mention exists: commands, options, files, keys of studies, names, links; every figure is listed."""

import ast
import importlib
import importlib.util
import inspect
import io
import json
import re
import shlex
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from PIL import Image
from pydantic import TypeAdapter
from snakemake.cli import parse_args

from multirm.cli import COMMANDS, INSTALL_COMPLETION, build_app
from multirm.inspect.query import run_query
from multirm.site.slurm import read_site
from multirm.study import targets
from multirm.study.figures import FIGURES, figures_of
from multirm.study.files import RESULTS
from multirm.study.load import load_study, read_yaml
from multirm.study.report_files import page_targets
from multirm.study.study import Study
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation, Estimator
from multirm.tables.registry import SCHEMAS
from tests.origins import made_of
from tests.test_architecture import PERMITTED

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    page.relative_to(ROOT)
    for page in (
        ROOT / "README.md",
        ROOT / "results" / "README.md",
        *sorted(ROOT.glob("docs/*.md")),
    )
]
TEXT = (ROOT / "docs" / "figures.md").read_text()
MINIATURE = ROOT / "config" / "config.yaml"
NAMES = {name for commands in COMMANDS.values() for name in commands}


def text_of(page: Path) -> str:
    return (ROOT / page).read_text()


def code_of(page: Path) -> list[str]:
    """The indented code of a page, without its indentation; code that only blank lines part is one."""
    found = re.findall(r"(?<=\n\n)(?: {4}.*\n(?:\n+(?= {4}))?)+", text_of(page))
    return [re.sub("^ {4}", "", code, flags=re.M) for code in found]


def blocks_of(page: Path) -> list[str]:
    """The same; code that blank lines part is several."""
    return [block for code in code_of(page) for block in re.split(r"\n{2,}", code)]


def commands_of(page: Path) -> Iterator[list[str]]:
    """The words of each command of this project in the code of a page.

    Variables of the environment are left out, and so is the file that the output goes to.
    """
    for block in blocks_of(page):
        command = ""
        for line in block.splitlines():
            command += line + "\n"
            if not re.match(r"(\w+=\S+ )*(\.venv/bin/)?(multirm|snakemake|make)\s", command):
                command = ""
                continue
            try:
                words = shlex.split(command.replace("\\\n", " "), comments=True)
            except ValueError:  # a quotation or a line that goes on
                continue
            if not command.endswith("\\\n"):
                words = words[: words.index(">")] if ">" in words else words
                yield [word for word in words if not re.match(r"[A-Z_]+=\d$", word)]
                command = ""
        assert not command, (page, command)


COMMANDS_OF_PAGES = [(page, words) for page in PAGES for words in commands_of(page)]


def commands_named(name: str) -> list[tuple[Path, list[str]]]:
    return [(page, words[1:]) for page, words in COMMANDS_OF_PAGES if Path(words[0]).name == name]


def test_a_newcomer_reads_little() -> None:
    assert len(text_of(Path("README.md")).splitlines()) <= 120


def test_the_site_has_every_page_and_no_dead_link(tmp_path: Path) -> None:
    # A page in no table of contents is a warning, as is a link to nowhere.
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    run = subprocess.run(
        [*command, "-d", str(tmp_path / "cache"), "docs", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "site" / "tutorial.html").is_file()


def test_readme_leads_to_the_index() -> None:
    readme = text_of(Path("README.md"))
    assert "](docs/index.md)" in readme and "](results/README.md)" in readme


def test_the_layout_names_every_folder_of_the_package() -> None:
    layout = text_of(Path("docs/contributing.md"))
    assert [folder for folder in PERMITTED if f"`{folder}`" not in layout] == []


def test_pages_begin_with_a_command() -> None:
    def opening(page: Path) -> str:
        return " ".join(text_of(page).partition("\n## ")[0].split())

    pages = [page for page in PAGES if page.parent.name == "docs"]
    command = re.compile(r"(\.venv/bin/|`)(multirm|snakemake) [a-z-]|`make study`|`import multirm`")
    assert [page.name for page in pages if not command.search(opening(page))] == []


@pytest.mark.parametrize(
    ("page", "words"),
    commands_named("multirm"),
    ids=lambda part: part.stem if isinstance(part, Path) else part[0],
)
def test_a_command_takes_its_arguments(page: Path, words: list[str]) -> None:
    app = build_app(words[0])
    command, *_ = app.parse_args(words, print_error=False, exit_on_error=False)
    assert words in (["--help"], [INSTALL_COMPLETION]) or words[0] in NAMES, (page, command)


def test_queries_read_views_and_columns_that_exist(tmp_path: Path) -> None:
    tables = [(tmp_path / f"{name}.parquet", schema, []) for name, schema in SCHEMAS.items()]
    parquet.write_together(tables, made_of())
    queries = [words[1] for _, words in commands_named("multirm") if words[0] == "query"]
    queries += [words[3] for _, words in commands_named("multirm") if words[1:2] == ["--results"]]
    queries = [words for words in queries if not words.startswith("-")]
    queries += re.findall(r'query\("([A-Z].*?)"', "".join(map(text_of, PAGES)))
    assert len(queries) > 5
    for sql in queries:
        run_query(sql, tmp_path, lambda found: found.fetchall())


def test_commands_within_sentences_exist() -> None:
    named = {
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"`multirm ([a-z-]+)", " ".join(text_of(page).split()))
    }
    assert len(named) > 10
    assert [(page, name) for page, name in sorted(named) if name not in NAMES] == []


def test_make_and_snakemake_take_their_arguments() -> None:
    makefile = (ROOT / "Makefile").read_text()
    rules = re.findall(r"^([\w-]+):", makefile, re.M)
    for _, words in commands_named("make"):
        for word in words:
            name, _, value = word.partition("=")
            assert name in (("STUDY", "DATA") if value else rules), words
            assert name != "STUDY" or (ROOT / "config" / f"{value}.yaml").exists(), words
    called = commands_named("snakemake")
    assert called
    for _, words in called:
        _, options = parse_args(words)
        assert all((ROOT / file).exists() for file in options.configfile or []), words


def test_files_in_commands_are_made_by_the_miniature() -> None:
    study = load_study(read_yaml(MINIATURE), [MINIATURE])
    made = {
        Path(file.replace(RESULTS, "results"))
        for targets_of in (
            targets.data_targets,
            targets.training_targets,
            targets.scoring_targets,
            targets.evaluation_targets,
            targets.figure_targets,
        )
        for file in targets_of(study)
    }
    made |= {Path(file.replace(RESULTS, "results")) for file in page_targets(study)}
    made |= {folder for file in made for folder in file.parents}
    words = [word for _, command in COMMANDS_OF_PAGES for word in command]
    named = {Path(word.rpartition("=")[2]) for word in words if "results/" in word}
    assert len(named) > 5
    assert named - made == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_fragments_are_valid(page: Path, tmp_path: Path) -> None:
    for block in blocks_of(page):
        key = block.partition(":")[0]
        if block[0] in "[{":
            json.loads(block)
        elif key in Study.model_fields:
            for name, value in yaml.safe_load(block).items():
                TypeAdapter(Study.model_fields[name].annotation).validate_python(value)
        elif key == "account":
            site = tmp_path / "site.yaml"
            site.write_text(block)
            assert read_site(site)
        else:
            assert not re.match(r"\w+:( \{|\n)", block), f"{block}: write it with the key above it"


def test_python_imports_what_exists_and_calls_it_as_defined() -> None:
    called = 0
    for code in [code for page in PAGES for code in code_of(page) if code.startswith("from ")]:
        imported = {}
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom):
                for name in node.names:
                    module = importlib.import_module(str(node.module))
                    imported[name.name] = getattr(module, name.name)
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                named = {str(keyword.arg): None for keyword in node.keywords}
                inspect.signature(imported[node.func.id]).bind(*node.args, **named)
                called += 1
    assert called >= 4


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.M)
            slugs = [re.sub(r"[^\w\s-]", "", each).lower().replace(" ", "-") for each in headings]
            assert anchor in slugs, link


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_tests_and_modules_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", text_of(page))
    folders = ROOT, ROOT / "tests", ROOT / "src" / "multirm"
    assert [name for name in named if not any((each / name).exists() for each in folders)] == []


def test_explanations_name_what_they_explain() -> None:
    """All aggregations, estimators and modules with formulas; a test for each circumstance."""
    estimators = text_of(Path("docs/estimators.md"))
    closed = *Aggregation, *Estimator
    assert [str(name) for name in closed if f"`{name}`" not in estimators] == []
    named = re.findall(r"`evaluation/([a-z_]+)\.py`", estimators)
    cited = [
        path.stem
        for path in (ROOT / "src" / "multirm" / "evaluation").glob("*.py")
        if re.search(r"[A-Z][a-z]+ (et al\. )?\(?(19|20)\d\d", path.read_text())
    ]
    assert len(cited) > 10
    assert set(cited) - set(named) == set()
    tables = text_of(Path("docs/invariances.md")).split("\n## What may change")[0]
    rows = re.findall(r"^\| (?!what |missing |job |circumstance |\[|---).*\|$", tables, re.M)
    assert len(rows) > 50
    assert [row for row in rows if not re.search(r"`[a-z_]+/test_[a-z_]+\.py`", row)] == []


@pytest.fixture(scope="module")
def thumbnails() -> ModuleType:
    spec = importlib.util.spec_from_file_location("thumbnails", ROOT / "docs" / "thumbnails.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_figure_is_listed() -> None:
    listed = TEXT.partition("\n## ")[0]
    assert [name for name in FIGURES if not re.search(rf"`{name}(/\{{study\}})?`", listed)] == []


def test_every_figure_of_the_miniature_is_pictured() -> None:
    shown = re.findall(r"\| `(\w+)` \| !\[\1\]\(figures/\1\.png\) \|", TEXT)
    study = load_study(read_yaml(MINIATURE), [MINIATURE])
    assert [name for name in figures_of(study) if name not in shown] == []
    pictures = {path.stem: path for path in (ROOT / "docs" / "figures").iterdir()}
    assert set(shown) == set(pictures), "run `make thumbnails`"
    for picture in pictures.values():
        width, _ = struct.unpack_from(">II", picture.read_bytes(), 16)
        assert 390 <= width <= 410 and picture.stat().st_size <= 25_000


def test_a_thumbnail_is_small_and_keeps_colours(thumbnails: ModuleType) -> None:
    circles = "".join(
        f'<circle cx="{x}" cy="20" r="9" fill="#{x:02x}42ff" />' for x in range(10, 240, 20)
    )
    background = '<rect width="240" height="40" fill="#ffffff" />'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="240" height="40">{background}{circles}</svg>'
    picture = Image.open(io.BytesIO(thumbnails.thumbnail(svg)))
    assert picture.width == thumbnails.WIDTH
    coloured = picture.convert("RGB")
    assert len(coloured.getcolors()) <= thumbnails.COLOURS
    for x in range(10, 240, 20):
        found = coloured.getpixel((round(x * thumbnails.WIDTH / 240), coloured.height // 2))
        assert max(abs(a - b) for a, b in zip(found, (x, 0x42, 255), strict=True)) <= 8


def test_a_figure_without_width_is_refused(thumbnails: ModuleType) -> None:
    with pytest.raises(ValueError, match="an SVG with a width"):
        thumbnails.thumbnail("<svg/>")
