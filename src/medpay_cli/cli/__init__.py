"""The command line: words in, one call, exit code out. Nothing is counted, worded or formatted here."""

from __future__ import annotations

import importlib
import os
import signal
import sys

import click

from medpay_cli import __version__

PIPE = 128 + signal.SIGPIPE
# Commands are imported when they are called: `--version` and `--help` stay near click's own start-up time.
COMMANDS = {
    "validate": "Check files against a layout.",
    "transform": "Map records from one layout to another.",
    "reconcile": "Match two sides and explain every difference.",
    "inspect": "Say what a file is, with the evidence.",
    "list": "List layouts, dialects, mappings, recipes or rules.",
    "show": "Show a layout, dialect, mapping, recipe or rule.",
    "explain": "Explain a finding code.",
    "sample": "Write invented records of a layout, clean or broken.",
    "demo": "Write a small invented hospital day.",
}


class Lazy(click.Group):
    """A group whose commands live in modules of this package, imported when needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command behind a name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"medpay_cli.cli.{cmd_name}_")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a reader that went away is 141, which click would turn into 1, that is findings."""
        try:
            result: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            raise SystemExit(PIPE) from None
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, without importing a single command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="medpay")
def cli() -> None:
    """Example: medpay validate upload.zip --dialect nhsa-3202-upload

    Validate, transform and reconcile batch files about medical money: hospital, NHSA platform, insurer.
    校验、转换、对账医院、医保平台与商保之间的批量文件。

    Exit codes: 0 done; 1 findings or differences; 2 usage; 3 an input cannot be judged; 4 some inputs
    judged, some not; 5 another run writes this; 6 refused, used already; 7 environment (disk,
    permission); 70 a bug; 130/141/143 interrupted.
    """


def main() -> None:
    """Run the command line and exit with a code of the contract."""
    from medpay_cli.errors import MedpayError

    # What a terminal cannot show is spelled out; it is no reason to fail.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # We multiply no matrices: threads that wait for some take time from those that work.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminated)
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        _leave(130)
    except click.ClickException as err:
        err.show()
        _leave(err.exit_code if err.exit_code == 2 else 2)
    except MedpayError as err:
        _say(err)
        _leave(err.exit_code)
    except SystemExit as stop:
        _leave(stop.code if isinstance(stop.code, int) else 1)
    except OSError as err:
        _say(MedpayError("cannot_write", path=err.filename or "stdout", reason=err.strerror))
        _leave(7)
    except Exception:
        _bug()
        _leave(70)
    _leave(code if isinstance(code, int) else 0)


def _terminated(number: int, _: object) -> None:
    # Unwinds, so that no partial output or temporary file stays behind.
    raise SystemExit(128 + number)


def _leave(code: int) -> None:
    # A failing flush at interpreter exit would turn our code into 120.
    try:
        sys.stdout.flush()
    except OSError:
        code = PIPE if code == PIPE else 7
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _say(err: Exception) -> None:
    from medpay_cli import messages

    lang = messages.language(os.environ.get("MEDPAY_LANG"))
    values = getattr(err, "values", {})
    key = getattr(err, "key", "bug")
    click.echo(messages.text("error", lang) + messages.text(key, lang, **values), err=True)


def _bug() -> None:
    import secrets
    import tempfile
    import traceback
    from pathlib import Path

    from medpay_cli.errors import MedpayError

    reference = secrets.token_hex(4)
    handle, log = tempfile.mkstemp(prefix=f"medpay-{reference}-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        # Frames and lines only: a value in an exception's text may belong to a person.
        kind, _, trace = sys.exc_info()
        file.write("".join(traceback.format_tb(trace)) + (kind.__name__ if kind else "") + "\n")
    _say(MedpayError("bug", reference=reference, log=Path(log)))
