"""Whatever the engine and however little memory it has, what a reconcile finds is the same to the byte."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import ledger_day
import pytest
from click.testing import CliRunner

from medpay_cli import engines, files, pairing
from medpay_cli.cli.reconcile_ import command
from medpay_cli.errors import MedpayError


def reconcile(folder, *words, code=1):
    """The summary without what may differ, and both lists of differences."""
    options = ["--recipe", "ledger", "--output-dir", str(folder), "--format", "json", "--lang", "en"]
    ran = CliRunner().invoke(command, [*map(str, words), *options], standalone_mode=False)
    assert (ran.exception, ran.return_value) == (None, code)
    found = json.loads(ran.stdout)
    seconds = found.pop("seconds", {})
    return (
        found.pop("engine"),
        sorted(seconds),
        found,
        (folder / "differences.csv").read_bytes(),
        (folder / "differences.parquet").read_bytes(),
    )


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    sides = ledger_day.make(3_000, seed=8, differences=0.4).write(folder)
    return sides, reconcile(folder / "out", *sides)


def left_behind():
    """Our folders and files where temporary ones are."""
    return sorted(path.name for path in Path(tempfile.gettempdir()).glob("medpay-*"))


def test_every_engine_finds_the_same_to_the_byte_and_says_its_name(day, tmp_path, monkeypatch, engine):
    sides, (_, _, *expected) = day
    if engine != "spark":  # whose session lives on
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    name, seconds, *found = reconcile(tmp_path / "out", *sides, "--engine", engine)
    assert name == engine
    assert seconds == ([] if engine == "polars" else ["conversion", "matching"])
    assert found == expected
    if engine != "spark":
        assert left_behind() == []


def test_auto_is_polars_on_one_machine_and_says_so(day):
    assert day[1][0] == "polars"


@pytest.mark.parametrize("cluster", [engines.Cluster(), engines.Cluster("local[2]"), engines.Cluster("spark://h:7077")])
def test_auto_takes_a_cluster_only_for_sides_larger_than_the_memory(cluster):
    chosen = [engines.chosen("auto", cluster, size, 100) for size in (100, 101)]
    assert chosen == ["polars", "spark" if cluster.master == "spark://h:7077" else "polars"]
    assert engines.chosen("duckdb", cluster, 101, 100) == "duckdb"


@pytest.mark.parametrize("screened", [60, 10**9])
@pytest.mark.parametrize("matching", [200_000, 4_000_000])
def test_parts_of_the_keys_give_the_same_to_the_byte(day, tmp_path, monkeypatch, screened, matching):
    """As if each record took so much memory that only a few fit; in the second case not even fingerprints do."""
    sides, expected = day
    made = []
    real = pairing._parts
    monkeypatch.setattr(pairing, "SCREENED", screened)
    monkeypatch.setattr(pairing, "MATCHING", matching)
    monkeypatch.setattr(pairing, "_parts", lambda *of: made.append(real(*of)) or made[-1])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert reconcile(tmp_path / "out", *sides, "--memory-limit", "1GiB") == expected
    assert min(made) > 1
    assert left_behind() == []


def test_sides_without_records_match_on_every_engine(tmp_path, engine):
    for name in ("a", "b"):
        (tmp_path / name).write_text("")
    words = (tmp_path / "a", tmp_path / "b", "--allow-empty", "--engine", engine)
    found = reconcile(tmp_path / "out", *words, code=0)[2]
    assert [side["records"] for side in found["sides"]] == [0, 0]
    assert found["bridge"]["acct_pay"]["difference"] == "0.00"


def test_what_an_engine_reads_is_for_our_eyes_only(tmp_path):
    import polars as pl

    with files.workspace(tmp_path) as folder:
        written = engines.Spill(folder)(pl.DataFrame({"k0": ["A"]}))
        assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, written)] == [0o700, 0o600]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_a_killed_run_left_is_swept_and_that_of_a_living_one_is_not(tmp_path):
    script = (
        "import os, pathlib, sys\n"
        "from medpay_cli import files\n"
        "with files.workspace(pathlib.Path(sys.argv[1])) as folder:\n"
        "    print(folder, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=False, text=True)
    left = Path(killed.stdout.strip())
    assert (killed.returncode, left.is_dir()) == (-9, True)
    with files.workspace(tmp_path) as living, files.workspace(tmp_path):
        assert not left.exists()
        assert living.is_dir()


@pytest.mark.parametrize(("name", "module"), [("duckdb", "duckdb"), ("spark", "pyspark.sql")])
def test_an_engine_that_is_not_installed_is_named_with_what_to_install(name, module, day, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    engines._session.cache_clear() if name == "spark" else None
    with pytest.raises(MedpayError) as raised:
        command.main([*map(str, day[0]), "--recipe", "ledger", "--engine", name], standalone_mode=False)
    assert (raised.value.key, raised.value.values["extra"]) == ("engine_missing", f"medpay[{name}]")


def test_spark_without_java_or_without_its_master_says_what_to_do(monkeypatch, tmp_path):
    pytest.importorskip("pyspark")
    engines._session.cache_clear()
    monkeypatch.setattr(engines.shutil, "which", lambda _: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MedpayError, match="engine_without_java"), engines.opened("spark", engines.Cluster(), 1 << 30):
        pass
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))  # where there is none
    monkeypatch.setattr("pyspark.core.context.SparkContext._active_spark_context", None)
    monkeypatch.setattr("pyspark.core.context.SparkContext._gateway", None)
    monkeypatch.setattr("pyspark.sql.SparkSession._instantiatedSession", None)
    with pytest.raises(MedpayError) as raised, engines.opened("spark", engines.Cluster(), 1 << 30):
        pass
    assert (raised.value.key, raised.value.values["master"]) == ("engine_start", "local[*]")


def test_an_engine_without_enough_memory_says_so(day, tmp_path):
    pytest.importorskip("duckdb")
    with pytest.raises(MedpayError) as raised, engines.opened("duckdb", engines.Cluster(), 64 << 20) as (engine, spill):
        import polars as pl

        wide = pl.DataFrame({"k0": ["x" * 1_000_000 + str(number) for number in range(100)]})
        frame = engine.open([spill(wide)])
        engine.fetch(frame.aggregate("k0, count(*) n, list(k0) l, list(k0) m, list(k0) o"))
    assert raised.value.key == "engine_memory"


@pytest.mark.parametrize(
    ("text", "size"), [("2GiB", 2 << 30), ("2gib", 2 << 30), ("500MB", 500_000_000), ("1024", 1024), ("3K", 3_000)]
)
def test_a_size_is_read_in_both_kinds_of_units(text, size):
    from medpay_cli.cli.reconcile_ import _size

    assert _size(text) == size


@pytest.mark.parametrize("text", ["", "0", "2 GiB GiB", "GiB", "1.5GiB", "-1", "２GiB", "1PiB"])
def test_anything_else_is_no_size(text, day):
    with pytest.raises(MedpayError, match="not_a_size"):
        command.main([*map(str, day[0]), "--recipe", "ledger", "--memory-limit", text], standalone_mode=False)


def test_settings_name_the_cluster_and_the_environment_comes_first(tmp_path, monkeypatch):
    settings = tmp_path / "medpay.toml"
    settings.write_text('[spark]\nmaster = "spark://a:7077"\nfolder = "/shared"\nconf."spark.executor.memory" = "4g"\n')
    monkeypatch.delenv("MEDPAY_SPARK_MASTER", raising=False)
    found = engines.cluster(settings)
    assert found == engines.Cluster("spark://a:7077", Path("/shared"), {"spark.executor.memory": "4g"})
    monkeypatch.setenv("MEDPAY_SPARK_MASTER", "local[1]")
    assert engines.cluster(settings).is_local
    monkeypatch.chdir(tmp_path)
    assert engines.cluster(None).conf == {"spark.executor.memory": "4g"}
    settings.write_text("[spark]\nmasters = 1\n")
    with pytest.raises(MedpayError, match="not_allowed"):
        engines.cluster(settings)


def test_nothing_but_our_line_stands_on_stderr(day, tmp_path, engine):
    expected = "" if engine == "polars" else f"{engine}: conversion # s, matching # s"
    ran = subprocess.run(
        [sys.executable, "-m", "medpay_cli", "reconcile", *map(str, day[0]), "--recipe", "ledger", "--engine", engine],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert ran.returncode == 1
    assert " ".join("#" if word[0].isdigit() else word for word in ran.stderr.split()) == expected
    assert list(tmp_path.glob("*medpay*")) + list(tmp_path.glob("*spark*")) == []
