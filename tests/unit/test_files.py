"""Output files appear whole, and what killed runs leave behind goes away."""

import fcntl
import os

import pytest

from medpay_cli import files


def parts(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".part"))


@pytest.fixture
def leftover(tmp_path):
    """What a killed run left of out.csv, and files that only look alike."""
    for name in (".out.csv.0123abcd.part", ".out.csv.mine.part", "out.csv.0123abcd.part", ".other.csv.0123abcd.part"):
        (tmp_path / name).write_bytes(b"half")
    return tmp_path / ".out.csv.0123abcd.part"


def test_a_leftover_of_the_same_output_is_swept_and_nothing_else(leftover):
    with files.whole(leftover.parent / "out.csv") as out:
        out.write(b"whole")
    assert (leftover.parent / "out.csv").read_bytes() == b"whole"
    assert parts(leftover.parent) == [".other.csv.0123abcd.part", ".out.csv.mine.part", "out.csv.0123abcd.part"]


def test_what_a_living_run_writes_is_not_swept(leftover):
    handle = os.open(leftover, os.O_WRONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with files.whole(leftover.parent / "out.csv") as out:
        out.write(b"whole")
    os.close(handle)
    assert leftover.name in parts(leftover.parent)


def test_two_runs_may_write_the_same_output_at_once(tmp_path):
    with files.whole(tmp_path / "out.csv") as first:
        first.write(b"first")
        with files.whole(tmp_path / "out.csv") as second:
            second.write(b"second")
        assert (tmp_path / "out.csv").read_bytes() == b"second"
    assert (tmp_path / "out.csv").read_bytes() == b"first"
    assert parts(tmp_path) == []


def test_an_output_that_fails_leaves_the_old_one_and_nothing_else(tmp_path):
    (tmp_path / "out.csv").write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), files.whole(tmp_path / "out.csv") as out:
        out.write(b"new")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_bytes() == b"old"
