"""Control lines: the first and the last line of a text file, where they say how many records there are and what they
sum up to."""

from __future__ import annotations

from collections.abc import Mapping

from medpay_cli.dialects import ControlLine, Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats import Told
from medpay_cli.formats.text.counting import FILLER, narrowed, widened
from medpay_cli.formats.text.quoting import cells

HEAD, TAIL = "head", "tail"
Items = tuple[Told, ...]


def told(line: bytes, place: str, how: ControlLine, dialect: Dialect) -> Items:
    """What a control line says, item by item.

    Raises ReadError F214 where the tail is none, so that the file was cut off; F220 where the line cannot be read.
    """
    try:
        text = line.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError as err:
        raise ReadError("F220", value=place, expected=dialect.encoding) from err
    if not line or not text.startswith(how.begins):
        raise _missing(place, how, dialect)
    fields = _spans(text, how, dialect) if how.spans else _fields(text, dialect)
    if len(fields) == len(how.items) + 1 and fields[-1] == "":
        fields.pop()
    if len(fields) != len(how.items):
        if place == TAIL and not how.begins:
            raise _missing(place, how, dialect)
        raise ReadError("F220", value=f"{place}: {len(fields)}", expected=str(len(how.items)))
    return tuple(Told(place, name, text) for name, text in zip(how.items, fields, strict=True) if name)


def lines(place: str, dialect: Dialect, values: Mapping[str, str]) -> list[str]:
    """The control line at a place, if the dialect has one, with these values of its items; others stay empty.

    Raises MedpayError where it would not be read so.
    """
    how = dialect.head if place == HEAD else dialect.tail
    if how is None:
        return []
    texts = [values.get(name, "") for name in how.items]
    if how.spans:
        made = widened(how.begins, dialect.counted_in)
        for text, (first, last) in sorted(zip(texts, how.spans, strict=True), key=lambda one: one[1]):
            made = f"{made[: first - 1]:<{first - 1}}{text:>{last - first + 1}}" if text else made
        made = narrowed(f"{made:<{max(*dialect.widths, *(last for _, last in how.spans))}}")
    else:
        begins = how.begins.split(dialect.delimiter)
        begins += [""] * (len(texts) - len(begins))
        pairs = zip(texts, begins, strict=False)
        made = dialect.delimiter.join([*(text or begin for text, begin in pairs), *[""] * dialect.trailing_delimiter])
    try:
        said = {name: text for _, name, text in told(made.encode(), place, how, dialect)}
    except ReadError:
        said = {}
    if any(said.get(name) != text for name, text in values.items() if name in how.items):
        raise MedpayError("dialect_fault", path=dialect.name, reason=f"control {place}")
    return [made]


def changed(line: bytes, place: str, how: ControlLine, dialect: Dialect, values: Mapping[str, str]) -> bytes:
    """A control line (of UTF-8, without its end) with these totals, and all else as it stands. Raises MedpayError where
    it would not be read so, ReadError where it is none."""
    before = {name: text for _, name, text in told(line, place, how, dialect)}
    new = {name: values[name] for name in before if name in values}
    if how.spans or (dialect.quote and dialect.quote in line.decode()):
        [text] = lines(place, dialect, {**before, **new})
        return text.encode()
    cells_of = line.decode().split(dialect.delimiter)
    for number, name in enumerate(how.items):
        cells_of[number] = new.get(name, cells_of[number])
    return dialect.delimiter.join(cells_of).encode()


def _fields(text: str, dialect: Dialect) -> list[str]:
    return cells(text.encode(), dialect) if dialect.quote else text.split(dialect.delimiter)


def _spans(text: str, how: ControlLine, dialect: Dialect) -> list[str]:
    """The items of a line of fixed width, none where it is too short; what stands between them is nobody's."""
    if FILLER in text:
        return []
    wide = widened(text, dialect.counted_in)
    if len(wide) < max(last for _, last in how.spans):
        return []
    return [narrowed(wide[first - 1 : last]).strip(" ") for first, last in how.spans]


def _missing(place: str, how: ControlLine, dialect: Dialect) -> ReadError:
    if place == HEAD:
        return ReadError("F220", value=place, expected=how.begins)
    return ReadError("F214", expected=how.begins or dialect.delimiter.join(how.items))
