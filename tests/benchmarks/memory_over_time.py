"""What a command holds in memory while it runs, a line for every second: its own pages, and those of files beside them.

    python tests/benchmarks/memory_over_time.py medpay reconcile ours.txt theirs.txt --recipe ledger --output-dir out

Own pages are what it asked for; those of mapped files go when somebody else needs them. What it prints is dropped.
"""

import subprocess
import sys
import time
from pathlib import Path

EVERY = 0.1
WIDE = 60


def held(process):
    """MiB of own pages and of files' pages, of a process and those that it started; None where it has ended."""
    own = files = 0
    try:
        threads = Path(f"/proc/{process}/task").iterdir()
        children = {child for one in threads for child in (one / "children").read_text().split()}
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            own += int(value.split()[0]) >> 10 if name == "RssAnon" else 0
            files += int(value.split()[0]) >> 10 if name in ("RssFile", "RssShmem") else 0
    except (OSError, ValueError):
        return None
    others = [found for found in map(held, children) if found]
    return own + sum(one for one, _ in others), files + sum(one for _, one in others)


def main():
    begun, seen = time.monotonic(), []
    with subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if found := held(process.pid):
                seen.append((time.monotonic() - begun, *found))
            time.sleep(EVERY)
    most = max(own + files for _, own, files in seen)
    print(
        f"exit {process.returncode} after {time.monotonic() - begun:.1f} s, at most {most} MiB\n seconds   own  files"
    )
    for second in range(int(seen[-1][0]) + 1):
        here = [one for one in seen if second <= one[0] < second + 1]
        if here:
            _, own, files = max(here, key=sum)
            print(f"{second:>8} {own:>5} {files:>6}  {'#' * round(WIDE * (own + files) / most)}")


if __name__ == "__main__":
    main()
