"""What is built holds what is needed, and the oldest dependencies are the promised ones."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

PACKAGES = {
    "broker": "landline_broker",
    "peer": "landline",
    "protocol": "landline_protocol",
    "sql": "landline_sql",
}


def test_lowest_txt_names_exactly_the_lower_bounds() -> None:
    bounds = dict(dependency.split(">=") for dependency in PROJECT["dependencies"])
    lines = (ROOT / "tests/lowest.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pins == bounds


def test_no_dependency_has_an_upper_bound() -> None:
    for dependency in PROJECT["dependencies"]:
        assert re.fullmatch(r"[A-Za-z_-]+>=[0-9.]+", dependency)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist of this checkout and the wheel of that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build("sdist", ROOT, folder)
    (sdist,) = folder.glob("*.tar.gz")
    # Not `extractall`: Python 3.11.3 lacks the filter that 3.12 insists on.
    subprocess.run(["tar", "-xf", sdist.name], cwd=folder, check=True)
    unpacked = sdist.with_name(sdist.name.removesuffix(".tar.gz"))
    build("wheel", unpacked, folder)
    return folder


def build(target: str, source: Path, folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)],
        cwd=source,
        check=True,
        capture_output=True,
    )


def sources(*patterns: str) -> set[str]:
    """Return the files of the checkout that match, as paths from its root."""
    found = (path for pattern in patterns for path in ROOT.glob(pattern))
    paths = (path.relative_to(ROOT) for path in found)
    return {
        p.as_posix()
        for p in paths
        if not any(part.startswith((".", "__pycache__")) for part in p.parts)
    }


def test_the_sdist_holds_all_sources_and_the_specification(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = sources(
        *(f"{folder}/{package}/**/*.*" for folder, package in PACKAGES.items()),
        "protocol/SPEC.md",
        "protocol/vectors/*.json",
        "tests/**/*.py",
    )
    wanted |= {".ci/run", "LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "tox.ini"}
    assert wanted <= names


def test_the_wheel_holds_the_packages_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
    wanted = {
        path.partition("/")[2]
        for folder, package in PACKAGES.items()
        for path in sources(f"{folder}/{package}/**/*.*")
    }
    assert names == wanted
    assert {f"{package}/py.typed" for package in PACKAGES.values()} <= names


def test_the_wheel_brings_the_licence_and_both_commands(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" in name]
        (entry_points,) = (archive.read(n).decode() for n in names if n.endswith("points.txt"))
    assert any(name.endswith("/LICENSE") for name in names)
    assert "landline = landline.cli.main:main" in entry_points
    assert "landline-broker = landline_broker.cli:main" in entry_points


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md", ".ci/run"])
def test_the_same_line_runs_the_tests_everywhere(page: str) -> None:
    line = "python3 -m venv .venv-test && .venv-test/bin/pip install tox && .venv-test/bin/tox"
    text = (ROOT / page).read_text()
    assert re.search(rf"^ *{re.escape(line)}$", text, re.MULTILINE)
