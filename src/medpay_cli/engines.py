"""The engines that matching runs on: Polars in memory, or DuckDB or Spark over typed Parquet that we wrote for them.

Parquet is the only way in and out, so that nothing is converted twice and no engine ever parses text.
"""

from __future__ import annotations

import atexit
import contextlib
import glob
import importlib
import itertools
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medpay_cli import config, files
from medpay_cli.errors import MedpayError, StorageError

if TYPE_CHECKING:
    import polars as pl

AUTO, POLARS, DUCKDB, SPARK = "auto", "polars", "duckdb", "spark"
NAMES = (AUTO, POLARS, DUCKDB, SPARK)
JAVA = "17"


@dataclass(frozen=True)
class Engine:
    """How lazy frames become results: `keep` works one out, for the engine to go on from; `fetch` brings it here.
    `open` makes a lazy frame of Parquet files."""

    keep: Callable[[Any], Any]
    fetch: Callable[[Any], pl.DataFrame]
    open: Callable[[list[Path]], Any] = lambda _: None


def _collected(frame: pl.LazyFrame) -> pl.DataFrame:
    return frame.collect(engine="streaming")  # groups millions of keys in half the time


IN_MEMORY = Engine(keep=lambda frame: _collected(frame).lazy(), fetch=_collected)


@dataclass(frozen=True)
class Cluster:
    """Where Spark runs: the master, a folder that all of it sees, and settings of Spark's own."""

    master: str = "local[*]"
    folder: Path | None = None
    conf: dict[str, str] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether this machine is all of it."""
        return self.master.startswith("local")


def cluster(file: Path | None) -> Cluster:
    """What the settings (`file`, else ./medpay.toml if it exists) say of Spark; MEDPAY_SPARK_MASTER comes first.

    Raises MedpayError.
    """
    path = file or Path(config.FILE)
    said: config.Document = {}
    if file is not None or path.exists():
        document = config.parse(path)
        config.check(document, "config.schema.json", str(path))
        said = document.get("spark", {})
    master = os.environ.get("MEDPAY_SPARK_MASTER") or said.get("master", Cluster.master)
    return Cluster(master, Path(said["folder"]) if "folder" in said else None, said.get("conf", {}))


class Spill:
    """Typed records on their way to an engine, as Parquet files in a folder of ours; `seconds` of writing, in all
    threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = itertools.count()
        self.seconds = 0.0

    def __call__(self, records: pl.DataFrame) -> Path:
        """Write some records; the file."""
        begun = time.perf_counter()
        path = self._folder / f"typed-{next(self._number):06}.parquet"
        with files.storage(self._folder), open(path, "xb", opener=_only_ours) as out:
            records.write_parquet(out, compression="snappy")
        self.seconds += time.perf_counter() - begun
        return path


def chosen(asked: str, cluster: Cluster, size: int, limit: int) -> str:
    """The engine for sides of so many bytes: Polars, which keeps within the limit by partitions of the keys; Spark only
    where a cluster is there and the sides are larger than the memory."""
    if asked != AUTO:
        return asked
    return SPARK if not cluster.is_local and size > limit else POLARS


def memory() -> int:
    """Three quarters of what this process may have: of the machine, or of its control group."""
    most = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with contextlib.suppress(OSError, ValueError):
        most.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return min(most) * 3 // 4


@contextlib.contextmanager
def opened(name: str, cluster: Cluster, limit: int) -> Iterator[tuple[Engine, Spill]]:
    """An engine other than Polars that keeps within so many bytes of memory, and where its records are written.

    Raises MedpayError where it is not installed, or the memory does not do; StorageError where the disk does not.
    """
    start = {DUCKDB: _duckdb, SPARK: _spark}[name]
    place = cluster.folder if name == SPARK else None
    with files.workspace(place) as folder, _failing(name, folder), start(folder, cluster, limit) as engine:
        yield engine, Spill(folder)


@contextlib.contextmanager
def _duckdb(folder: Path, _: Cluster, limit: int) -> Iterator[Engine]:
    duckdb = _installed(DUCKDB)
    import polars as pl

    settings = {
        "memory_limit": f"{max(limit >> 20, 64)}MiB", "temp_directory": str(folder), "threads": os.cpu_count() or 1,
        "preserve_insertion_order": False, "autoinstall_known_extensions": False, "autoload_known_extensions": False,
    }  # fmt: skip
    number = itertools.count()
    with duckdb.connect(config=settings) as database:

        def open_(paths: list[Path]) -> Any:
            return database.read_parquet([glob.escape(str(path)) for path in paths])

        def written(relation: Any) -> Path:
            path = folder / f"kept-{next(number)}.parquet"
            relation.write_parquet(str(path))
            return path

        yield Engine(
            keep=lambda relation: open_([written(relation)]),
            fetch=lambda relation: pl.read_parquet(written(relation)),
            open=open_,
        )


@contextlib.contextmanager
def _spark(folder: Path, cluster: Cluster, limit: int) -> Iterator[Engine]:
    session = _session(cluster.master, tuple(cluster.conf.items()), limit)
    import polars as pl

    number = itertools.count()
    kept: list[Any] = []

    def open_(paths: list[Path]) -> Any:
        # Hadoop reads some characters of a path as a pattern.
        return session.read.parquet(*("file:" + re.sub(r"([*?\[\]{}\\])", r"\\\1", str(path)) for path in paths))

    def keep(frame: Any) -> Any:
        kept.append(frame.persist())  # in memory, the rest of it on Spark's disk
        return kept[-1]

    def fetch(frame: Any) -> pl.DataFrame:
        path = folder / f"kept-{next(number)}.parquet"
        frame.write.parquet(f"file:{path}")
        return pl.read_parquet(sorted(path.glob("part-*.parquet")))

    try:
        yield Engine(keep, fetch, open_)
    finally:
        for frame in kept:
            frame.unpersist()


@cache
def _session(master: str, conf: tuple[tuple[str, str], ...], limit: int) -> Any:
    """One for as long as we run: it takes seconds to start."""
    pyspark = _installed(SPARK)
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise MedpayError("engine_without_java", version=JAVA)
    home = contextlib.ExitStack()
    folder = home.enter_context(files.workspace())
    atexit.register(home.close)
    cores = os.cpu_count() or 1
    here = {
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.local.dir": str(folder),
        "spark.driver.memory": f"{max(limit >> 20, 512)}m", "spark.sql.shuffle.partitions": str(2 * cores),
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={folder} -Dderby.system.home={folder}",
    }  # fmt: skip
    settings = {
        "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "OFF",
        "spark.sql.warehouse.dir": f"file:{folder}",
        **(here if master.startswith("local") else {}),
        **dict(conf),
        # What the results rest on, whatever else is set: nothing wraps, is rounded or folded.
        "spark.sql.ansi.enabled": "true", "spark.sql.decimalOperations.allowPrecisionLoss": "false",
        "spark.sql.caseSensitive": "true", "spark.sql.session.timeZone": "UTC",
    }  # fmt: skip
    build = pyspark.sql.SparkSession.builder.master(master).appName("medpay")
    for name, value in settings.items():
        build = build.config(name, value)
    try:
        with _silent():
            session = build.getOrCreate()
    except Exception as err:  # of the many kinds that a JVM, a master or a network has
        reason = str(err).strip().partition("\n")[0]
        raise MedpayError("engine_start", name=SPARK, master=master, reason=reason, version=JAVA) from err
    atexit.register(session.stop)
    return session


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """What is started inside writes nothing where our messages go; its errors reach us as exceptions."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _installed(name: str) -> Any:
    module = {DUCKDB: "duckdb", SPARK: "pyspark.sql"}[name]
    try:
        importlib.import_module(module)
    except ImportError as err:
        raise MedpayError("engine_missing", name=name, extra=f"medpay[{name}]") from err
    return importlib.import_module(module.partition(".")[0])


@contextlib.contextmanager
def _failing(name: str, folder: Path) -> Iterator[None]:
    """Tell what the environment did to an engine from what is a bug."""
    try:
        yield
    except Exception as err:
        if not type(err).__module__.startswith(("duckdb", "_duckdb", "py4j", "pyspark")):
            raise
        reason = str(err)
        if "No space left" in reason or "Could not write" in reason:
            raise StorageError("cannot_write", path=folder, reason=os.strerror(28)) from err
        if "Out of Memory" in reason or "OutOfMemory" in reason:
            raise MedpayError("engine_memory", name=name) from err
        raise


def _only_ours(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
