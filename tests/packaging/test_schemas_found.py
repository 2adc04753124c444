"""`schemas/` is found from a wheel, from an editable install and from a checkout."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASK = "from medpay_cli import files, layouts; print(files.schemas()); print(layouts.load('ledger_detail').id)"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def asked(python, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [python, "-c", ASK], capture_output=True, text=True, check=True, cwd="/", env={**clean, **environment}
    )
    place, layout = done.stdout.splitlines()
    assert layout == "ledger_detail.v1"
    return Path(place)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT], check=True)
    return next(folder.glob("*.whl"))


def test_a_wheel_carries_its_schemas(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    assert asked(sys.executable, PYTHONPATH=str(tmp_path)) == tmp_path / "medpay_cli" / "schemas"


def test_the_wheel_holds_every_data_file(wheel):
    shipped = {path.relative_to(ROOT).as_posix() for path in (ROOT / "schemas").rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    assert {f"medpay_cli/{name}" for name in shipped} <= held
    assert "medpay_cli/py.typed" in held


def test_an_editable_install_uses_the_checkout(tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    libraries = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    place = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    (place / "z-libraries.pth").write_text(f"{libraries}\n")
    subprocess.run(
        [*PIP, "--python", python, "install", "--no-deps", "--no-build-isolation", "--editable", ROOT], check=True
    )
    assert asked(python) == ROOT / "schemas"


def test_a_checkout_needs_no_install():
    assert asked(sys.executable, PYTHONPATH=str(ROOT / "src")) == ROOT / "schemas"
