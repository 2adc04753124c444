"""Findings as a table in Parquet: what most of them share costs next to nothing there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import BinaryIO

import polars as pl

from medpay_cli import findings
from medpay_cli.findings import COLUMNS, Outcome
from medpay_cli.formats.parquet import sink
from medpay_cli.parallel import in_order
from medpay_cli.reports import Style
from medpay_cli.reports.machine import worded


def validation(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Every finding: texts, and whole numbers that every reader knows."""
    types = {name: pl.Int64 if findings.schema().get(name) == pl.UInt64 else pl.String for name in COLUMNS}

    def made(load: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        return worded(load(), outcome, style).select(pl.col(name).cast(dtype) for name, dtype in types.items())

    frames = in_order(partial(made, load) for load in outcome.findings.loads())
    # Half the time of zstd, for twice the bytes.
    sink(out, types, frames, compression="snappy", statistics=False)
