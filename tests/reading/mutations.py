"""Two clean files and what can happen to them on their way, each damage with the verdict and the addresses expected.

Nothing of medpay_cli is used here. The expectations are written by hand from what the dialect and the layout say.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

Change = Callable[[bytes], bytes]
Address = tuple[int | None, str | None, str]  # row, field, code

# Spaces stand for TABs.
LEDGER = """\
990105202500000001 M0000001 P0000001 100.00 60.00 25.00 0
990105202500000002 M0000002 P0000002 60.00 40.00 20.00 0
990105202500000003 M0000003 P0000003 25.30 15.30 10.00 0
990105202500000004 M0000004 P0000004 320.00 200.00 20.00 0
990105202500000005 M0000005 P0000005 18.05 18.05 0.00 0
990105202500000006 M0000006 P0000006 1234.50 1000.00 34.50 0
990105202500000007 M0000007 P0000007 47.00 30.00 17.00 0
990105202500000008 M0000008 P0000008 0.00 0.00 0.00 0
990105202500000009 M0000009 P0000009 -10.00 -6.00 -4.00 1
990105202500000010 M0000010 P0000010 500.00 450.00 50.00 0
990105202500000011 M0000011 P0000011 88.88 44.44 22.22 0
990105202500000012 M0000012 P0000012 36.20 20.00 16.20 0
""".replace(" ", "\t").encode()
LEDGER_FIELDS = (
    "setl_id", "mdtrt_id", "psn_no", "medfee_sumamt", "fund_pay_sumamt", "acct_pay", "refd_setl_flag",
)  # fmt: skip

CHARGES = """\
bill,card,note,day,kind,paid
990105000000000001,00000101,内科门诊,2025-01-01,A1,100.00
990105000000000002,00000102,"门诊, 复诊",2025-01-01,B2,60.00
990105000000000003,00000103,外科换药,2025-01-02,A1,25.30
990105000000000004,00000104,放射检查,2025-01-02,C3,320.00
990105000000000005,00000105,"备注 ""加急"" 处理",2025-01-03,B2,18.05
990105000000000006,00000106,儿科门诊,2025-01-03,A1,1234.50
990105000000000007,00000107,检验,2025-01-04,C3,47.00
990105000000000008,00000108,"第一行
第二行",2025-01-04,A1,0.00
990105000000000009,00000109,退号,2025-01-05,B2,-10.00
990105000000000010,00000110,"自费, ""特需"" 门诊",2025-01-05,B2,500.00
990105000000000011,00000111,中药饮片,2025-01-06,C3,88.88
990105000000000012,00000112,输液,2025-01-06,A1,36.20
""".encode()
CHARGES_LAYOUT = json.dumps(
    {
        "type": "object",
        "properties": {
            "bill": {"type": "string", "pattern": "^[0-9]{18}$"},
            "card": {"type": "string", "pattern": "^0[0-9]{7}$", "x-sensitivity": "identifier"},
            "note": {"type": "string", "maxLength": 20},
            "day": {"type": "string", "format": "date"},
            "kind": {"type": "string", "enum": ["A1", "B2", "C3"]},
            "paid": {"type": "number", "format": "money", "x-digits": 10, "x-scale": 2},
        },
        "required": ["bill", "card", "day", "kind", "paid"],
        "x-key": ["bill"],
    }
)
CHARGES_DIALECT = """\
title = { zh = "收费文件", en = "charges" }
layout = "charges.json"
format = "delimited"
encoding = "utf-8"
delimiter = ","
quote = '"'
header = true
"""

HEADER = b"bill"
RECORDS, TOTAL = 12, "2419.93"
BOM = codecs.BOM_UTF8


@dataclass(frozen=True)
class Mutation:
    """A damage, and what has to be said of it: exit code and the set of (row, field, code) of all findings.

    `harmless`: other bytes, the same cells; then `encoding` is what the mutated file is written in.
    """

    change: Change
    exit_code: int
    found: frozenset[Address]
    options: tuple[str, ...] = ()
    harmless: bool = False
    encoding: str = "utf-8"


def refused(change: Change, *found: str | Address, options: tuple[str, ...] = ()) -> Mutation:
    """The file is not judged; a code alone is a finding on the file."""
    addresses = frozenset((None, None, one) if isinstance(one, str) else one for one in found)
    return Mutation(change, 3, addresses, options)


def rejected(change: Change, *found: Address) -> Mutation:
    """Records are rejected at these addresses."""
    return Mutation(change, 1, frozenset(found))


def harmless(change: Change, *found: Address, encoding: str = "utf-8", options: tuple[str, ...] = ()) -> Mutation:
    """Nothing is lost; there may be warnings."""
    return Mutation(change, 0, frozenset(found), options, harmless=True, encoding=encoding)


def records(content: bytes) -> list[bytes]:
    """The records of a sound file with their ends, its header among them; quoted line ends are in charges only."""
    is_quoted = content.removeprefix(BOM).startswith(HEADER)
    made, open_ = list[bytes](), b""
    for line in lines(content):
        open_ += line
        if not is_quoted or open_.count(b'"') % 2 == 0:
            made.append(open_)
            open_ = b""
    return [*made, open_] if open_ else made


def lines(content: bytes) -> list[bytes]:
    """The lines with their ends."""
    *ended, rest = content.split(b"\n")
    return [line + b"\n" for line in ended] + [rest] * bool(rest)


def cells(content: str, *, quoted: bool) -> list[tuple[str | Decimal, ...]]:
    """The cells of every record of a sound file: amounts as numbers, without one empty cell too many at the end."""
    if quoted:
        rows = list(csv.reader(io.StringIO(content, newline=""), strict=True))[1:]
        return [(*row[:5], Decimal(row[5])) for row in rows if row]
    rows = [line.removesuffix("\n").removesuffix("\r").split("\t") for line in content.splitlines(keepends=True)]
    return [(*row[:3], *map(Decimal, row[3:6]), row[6]) for row in rows if row != [""]]


def _on_records(change: Callable[[list[bytes]], list[bytes]]) -> Change:
    """A change of the list of records, the header (or nothing) first, so that they count from 1."""

    def changed(content: bytes) -> bytes:
        return b"".join(change(records(content) if content.startswith(HEADER) else [b"", *records(content)]))

    return changed


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def everywhere(old: str, new: str) -> Change:
    """Replaced wherever it stands."""

    def changed(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new.encode())

    return changed


def outside_quotes(old: str, new: str) -> Change:
    """Replaced wherever it stands outside quotes."""

    def changed(content: bytes) -> bytes:
        pieces = content.split(b'"')
        return b'"'.join(piece.replace(_bytes(old), _bytes(new)) if at % 2 == 0 else piece
                         for at, piece in enumerate(pieces))  # fmt: skip

    return changed


def within(row: int, old: str, new: str | bytes) -> Change:
    """Replaced once in one record; row 0 is the header."""

    def changed(content: list[bytes]) -> list[bytes]:
        assert old.encode() in content[row]
        content[row] = content[row].replace(old.encode(), _bytes(new), 1)
        return content

    return _on_records(changed)


def cell(row: int, number: int, new: str | bytes) -> Change:
    """Another cell `number` (from 1) in one record without quotes."""

    def changed(content: list[bytes]) -> list[bytes]:
        assert b'"' not in content[row]
        mark = b"\t" if b"\t" in content[row] else b","
        found = content[row].removesuffix(b"\n").split(mark)
        found[number - 1] = _bytes(new)
        content[row] = mark.join(found) + b"\n"
        return content

    return _on_records(changed)


def first_cells(new: str) -> Change:
    """The same first cell in every record."""

    def changed(content: list[bytes]) -> list[bytes]:
        return [content[0], *(_bytes(new) + record[18:] for record in content[1:])]

    return _on_records(changed)


def before(row: int, *lines: str | bytes) -> Change:
    """Lines put in before a record; row 13 is the end of the file."""
    return _on_records(lambda content: [*content[:row], *map(_bytes, lines), *content[row:]])


def in_front(start: str | bytes) -> Change:
    """Something in front of the whole file."""
    return lambda content: _bytes(start) + content


def behind(end: str | bytes) -> Change:
    """Something behind the whole file."""
    return lambda content: content + _bytes(end)


def dropped(row: int) -> Change:
    """A record missing; row 0 is the header."""
    return _on_records(lambda content: [*content[:row], *content[row + 1 :]])


def twice(row: int) -> Change:
    """A record twice; row 0 is the header."""
    return _on_records(lambda content: [*content[: row + 1], *content[row:]])


def exchanged(first: int, second: int) -> Change:
    """Two records in each other's place."""

    def changed(content: list[bytes]) -> list[bytes]:
        content[first], content[second] = content[second], content[first]
        return content

    return _on_records(changed)


def reencoded(encoding: str, mark: bytes = b"") -> Change:
    """The whole file in another encoding."""
    return lambda content: mark + content.decode().encode(encoding)


def ended(end: bytes, first: int = 1, last: int = RECORDS) -> Change:
    """Another line end behind some records, not inside quotes."""

    def changed(content: list[bytes]) -> list[bytes]:
        return [
            one.removesuffix(b"\n") + end if first <= row <= last and one else one for row, one in enumerate(content)
        ]

    return _on_records(changed)


def cut_after(row: int, text: str) -> Change:
    """The file ends behind a text in a record."""

    def changed(content: list[bytes]) -> list[bytes]:
        at = content[row].index(text.encode()) + len(text.encode())
        return [*content[:row], content[row][:at]]

    return _on_records(changed)


def both(*changes: Change) -> Change:
    """One change after the other."""

    def changed(content: bytes) -> bytes:
        for change in changes:
            content = change(content)
        return content

    return changed


def every(rows: range, *fields_and_codes: tuple[str | None, str]) -> tuple[Address, ...]:
    """The same findings on several records."""
    return tuple((row, field, code) for row in rows for field, code in fields_and_codes)


ALL = range(1, RECORDS + 1)

# An amount of 1234.50 written otherwise → the code of its finding.
AMOUNTS = {
    "an exponent": ("1.2345e3", "L102"),
    "an exponent without a point": ("1e3", "L102"),
    "a plus sign": ("+1234.50", "L102"),
    "full-width digits": ("１２３４.50", "L102"),
    "a full-width point": ("1234．50", "L102"),
    "Arabic-Indic digits": ("١٢٣٤.50", "L102"),
    "a space before it": (" 1234.50", "L102"),
    "a space behind it": ("1234.50 ", "L102"),
    "a no-break space before it": ("\u00a01234.50", "L102"),
    "a third decimal that is zero": ("1234.500", "L103"),
    "no digit before the point": (".5", "L102"),
    "no digit behind the point": ("1234.", "L102"),
    "a leading zero": ("01234.50", "L102"),
    "two points": ("1.234.50", "L102"),
    "nothing": ("", "L101"),
    "twenty digits": ("12345678901234567890", "L103"),
    "NaN": ("NaN", "L102"),
    "Infinity": ("Infinity", "L102"),
    "a hexadecimal number": ("0x4D2", "L102"),
    "a minus sign of typography": ("−1234.50", "L102"),
    "a minus behind it": ("1234.50-", "L102"),
    "brackets for a negative": ("(1234.50)", "L102"),
    "a currency sign": ("¥1234.50", "L102"),
    "a unit": ("1234.50元", "L102"),
    "a column too narrow in Excel": ("########", "L102"),
    "a logical value of Excel": ("TRUE", "L102"),
    "an error of Excel": ("#REF!", "L102"),
}  # fmt: skip
# A text inside a note or an identifier → the code of its finding.
CHARACTERS = {
    "NEL": ("\u0085", "F107"),
    "a line separator": ("\u2028", "F107"),
    "a paragraph separator": ("\u2029", "F107"),
    "NUL": ("\x00", "F107"),
    "a form feed": ("\x0c", "F107"),
    "an end of file of DOS": ("\x1a", "F107"),
    "a noncharacter": ("\uffff", "F107"),
    "a stray carriage return": ("\r", "F107"),
    "a zero-width space": ("\u200b", "F108"),
    "a zero-width joiner": ("\u200d", "F108"),
    "a soft hyphen": ("\u00ad", "F108"),
    "a right-to-left override": ("\u202e", "F108"),
    "a direction isolate": ("\u2066", "F108"),
    "a byte order mark": ("\ufeff", "F108"),
    "a replacement character": ("\ufffd", "F109"),
}  # fmt: skip
# Bytes that are no UTF-8.
BAD_BYTES = {
    "a byte that no UTF-8 holds": b"\xff",
    "a Latin-1 letter": b"\xe9",
    "a character cut short": "医".encode()[:2],
    "a text in GBK": "医保".encode("gbk"),
    "an overlong slash": b"\xc0\xaf",
    "half of a surrogate pair": b"\xed\xa0\x80",
}
# Copies in another encoding that their mark names.
MARKED = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


def of_texts(number: int, field: str) -> dict[str, Mutation]:
    """What can happen to any file: `number` and name of a column of text."""
    made = {}
    for what, (character, code) in CHARACTERS.items():
        made[f"character: {what}"] = rejected(cell(6, number, f"甲{character}乙"), (6, field, code))
    for what, bad in BAD_BYTES.items():
        made[f"encoding: {what}"] = rejected(cell(6, number, b"A" + bad + b"B"), (6, None, "F102"))
    for row in (1, 12):
        made[f"encoding: a bad byte in record {row}"] = rejected(cell(row, number, b"\xff"), (row, None, "F102"))
    for encoding, mark in MARKED.items():
        made[f"encoding: {encoding} with its mark"] = harmless(reencoded(encoding, mark), encoding=encoding)
    return made


def declared(name: str) -> tuple[str, ...]:
    """The count and the sum that the sender declares."""
    return ("--expect", f"records={RECORDS},{name}={TOTAL}")


FEE = declared("medfee_sumamt")
PAID = declared("paid")
IDENTIFIER = "990105202500000006"


ON_LEDGER = {
    **of_texts(3, "psn_no"),
    **{
        f"amount: {what}": rejected(cell(6, 4, new), (6, "medfee_sumamt", code))
        for what, (new, code) in AMOUNTS.items()
    },
    "separator: commas throughout": refused(everywhere("\t", ","), "F201"),
    "separator: spaces throughout": refused(everywhere("\t", " "), "F201"),
    "separator: full-width commas throughout": refused(everywhere("\t", "，"), "F201"),
    "separator: doubled throughout": refused(everywhere("\t", "\t\t"), "F201"),
    "separator: semicolons in one record": rejected(within(6, "\tM0000006\t", ";M0000006;"), (6, None, "F101")),
    "separator: a space for one": rejected(within(6, "\t", " "), (6, None, "F101")),
    "separator: a full-width comma for one": rejected(within(6, "\t", "，"), (6, None, "F101")),
    "separator: an escaped one, as text": rejected(within(6, "\t", "\\t"), (6, None, "F101")),
    "separator: doubled in one record": rejected(within(6, "\t1234", "\t\t1234"), (6, None, "F101")),
    "separator: missing in one record": rejected(within(6, "\t1234", "1234"), (6, None, "F101")),
    "separator: leading in one record": rejected(within(6, "9901", "\t9901"), (6, None, "F101")),
    "separator: two trailing in one record": rejected(ended(b"\t\t\n", 6, 6), (6, None, "F101")),
    "separator: one trailing in one record": harmless(ended(b"\t\n", 6, 6)),
    "separator: one trailing in every record": harmless(ended(b"\t\n")),
    # Eight columns are an edition of their own, so every record shifts by one.
    "separator: an empty column in every record": rejected(
        everywhere("\tP", "\t\tP"),
        *every(ALL, ("psn_no", "L101"), ("medfee_sumamt", "L102"), ("refd_setl_flag", "L104")),
    ),
    "quotes: around an amount": rejected(cell(6, 4, '"1234.50"'), (6, "medfee_sumamt", "L102")),
    "quotes: around a record": rejected(
        both(within(6, "9901", '"9901'), ended(b'"\n', 6, 6)), (6, "refd_setl_flag", "L104")
    ),
    "rows: a short one": rejected(within(6, "\t34.50\t0", "\t34.50"), (6, None, "F101")),
    "rows: a long one": rejected(within(6, "\t34.50\t0", "\t34.50\t0\tx\ty"), (6, None, "F101")),
    "rows: one broken in two": rejected(within(6, "\t1234", "\n1234"), (6, None, "F101"), (7, None, "F101")),
    "rows: two joined": rejected(ended(b"", 6, 6), (6, None, "F101")),
    "rows: one twice": rejected(twice(6), (6, None, "B101"), (7, None, "B101")),
    "rows: the first one again at the end": rejected(
        behind(records(LEDGER)[0]), (1, None, "B101"), (13, None, "B101")
    ),
    "rows: all twice": rejected(behind(LEDGER), *every(range(1, 25), (None, "B101"))),
    "rows: another one under a known key": rejected(
        cell(7, 1, IDENTIFIER), (6, None, "B101"), (7, None, "B101")
    ),
    "rows: two exchanged": harmless(exchanged(3, 9)),
    "rows: a blank line": harmless(before(7, b"\n"), (None, None, "F104")),
    "rows: a line of spaces": rejected(before(7, b"   \n"), (7, None, "F101")),
    "rows: a line of TABs": rejected(
        before(7, b"\t" * 6 + b"\n"), *((7, name, "L101") for name in LEDGER_FIELDS)
    ),
    "rows: a preamble": rejected(before(1, "对账明细 2025-01\n"), (1, None, "F101")),
    "rows: a footer": rejected(behind(f"合计\t{TOTAL}\n"), (13, None, "F101")),
    "rows: a footer without an end": refused(behind(f"合计\t{TOTAL}"), (13, None, "F206")),
    "rows: a footer as wide as a record": rejected(
        behind(f"合计\t\t\t{TOTAL}\t\t\t\n"),
        (13, "mdtrt_id", "L101"), (13, "psn_no", "L101"), (13, "fund_pay_sumamt", "L101"), (13, "acct_pay", "L101"),
        (13, "refd_setl_flag", "L101"),
    ),
    "rows: a footer of dashes": rejected(behind("------------\n"), (13, None, "F101")),
    "rows: a second table": rejected(
        behind("P1\tM1\tS1\tH1\t0\t0\t\t1.00\t1.00\t0.00\n" * 2), (13, None, "F101"), (14, None, "F101")
    ),
    "rows: none": refused(lambda _: b"", "F208"),
    "rows: only blank lines": refused(lambda _: b"\n\r\n\n", "F208"),
    "rows: one missing, all declared": refused(
        dropped(6), (None, "records", "B201"), (None, "medfee_sumamt", "B201"), options=FEE
    ),
    "rows: one without money missing, all declared": refused(dropped(8), (None, "records", "B201"), options=FEE),
    "rows: the last half missing, all declared": refused(
        cut_after(6, "\n"), (None, "records", "B201"), (None, "medfee_sumamt", "B201"), options=FEE
    ),
    "rows: one twice, all declared": refused(
        twice(6), (6, None, "B101"), (7, None, "B101"), (None, "records", "B201"),
        (None, "medfee_sumamt", "B201"), options=FEE,
    ),
    "rows: one in place of another, all declared": refused(
        both(dropped(7), twice(6)), (6, None, "B101"), (7, None, "B101"), (None, "medfee_sumamt", "B201"),
        options=FEE,
    ),
    "header: where none belongs": rejected(
        before(1, "\t".join(LEDGER_FIELDS) + "\n"), (1, "medfee_sumamt", "L102"), (1, "fund_pay_sumamt", "L102"),
        (1, "acct_pay", "L102"), (1, "refd_setl_flag", "L104"),
    ),
    "encoding: two byte order marks": rejected(in_front(BOM + BOM), (1, "setl_id", "F108")),
    "encoding: a byte order mark between records": rejected(before(6, BOM), (6, "setl_id", "F108")),
    "encoding: a mark against the one asked for": refused(
        reencoded("utf-16-le", codecs.BOM_UTF16_LE), "F210", options=("--encoding", "utf-8")
    ),
    "encoding: utf-16-le without a mark": refused(reencoded("utf-16-le"), "F202"),
    "encoding: utf-16-be without a mark": refused(reencoded("utf-16-be"), "F202"),
    "encoding: utf-32-le without a mark": refused(reencoded("utf-32-le"), "F202"),
    "encoding: utf-16-le without a mark, asked for": harmless(
        reencoded("utf-16-le"), encoding="utf-16-le", options=("--encoding", "utf-16-le")
    ),
    "line ends: CR only": refused(everywhere("\n", "\r"), "F212"),
    "line ends: CR LF": harmless(everywhere("\n", "\r\n")),
    "line ends: CR LF in the first half": harmless(ended(b"\r\n", 1, 6)),
    "line ends: CR CR LF in one record": rejected(
        ended(b"\r\r\n", 6, 6), (6, "refd_setl_flag", "F107")
    ),
    "line ends: none behind the last record": harmless(ended(b"", 12, 12)),
    "line ends: a CR alone behind the last record": rejected(
        ended(b"\r", 12, 12), (12, "refd_setl_flag", "F107")
    ),
    "line ends: LF CR": refused(
        everywhere("\n", "\n\r"), *every(range(2, 13), ("setl_id", "F107")), (13, None, "F206")
    ),
    "line ends: written as text": refused(everywhere("\n", "\\n"), "F201"),
    "amount: zero with a minus": harmless(cell(8, 5, "-0")),
    "amount: without decimals": harmless(cell(2, 4, "60")),
    "amount: separators in every thousand": rejected(
        both(cell(6, 4, "1,234.50"), cell(6, 5, "1,000.00")), (6, "medfee_sumamt", "L102"),
        (6, "fund_pay_sumamt", "L102"),
    ),
    "amount: decimal commas throughout": rejected(
        everywhere(".", ","), *every(ALL, *((name, "L102") for name in LEDGER_FIELDS[3:6]))
    ),
    "amount: in fen in one record, all declared": refused(
        cell(6, 4, "123450"), (None, "medfee_sumamt", "B201"), options=FEE
    ),
    "amount: two digits exchanged, all declared": refused(
        cell(6, 4, "1243.50"), (None, "medfee_sumamt", "B201"), options=FEE
    ),
    "excel: long identifiers as numbers": rejected(first_cells("9.90105E+17"), *every(ALL, (None, "B101"))),
    "excel: identifiers with fifteen digits left": rejected(
        first_cells("990105202500000000"), *every(ALL, (None, "B101"))
    ),
    "excel: a flag with a decimal": rejected(cell(6, 7, "0.0"), (6, "refd_setl_flag", "L104")),
    "excel: a flag as a logical value": rejected(cell(6, 7, "FALSE"), (6, "refd_setl_flag", "L104")),
    "cut: inside the first cell of the last record": refused(cut_after(12, "9901"), (12, None, "F206")),
    "cut: inside an amount of the last record": refused(cut_after(12, "\t36."), (12, None, "F206")),
    "cut: before the last separator": refused(cut_after(12, "16.20"), (12, None, "F206")),
    "cut: behind the last separator": rejected(cut_after(12, "16.20\t"), (12, "refd_setl_flag", "L101")),
    "cut: behind the sixth record, all declared": refused(
        cut_after(6, "34.50\t0"), (None, "records", "B201"), (None, "medfee_sumamt", "B201"), options=FEE
    ),
}  # fmt: skip

QUOTED = {2: '"门诊, 复诊"', 5: '"备注 ""加急"" 处理"', 8: '"第一行\n第二行"'}
HEADER_AS_RECORD = (("bill", "L106"), ("card", "L106"), ("day", "L103"), ("kind", "L104"), ("paid", "L102"))

ON_CHARGES = {
    **of_texts(3, "note"),
    "separator: semicolons throughout": refused(outside_quotes(",", ";"), "F201"),
    "separator: TABs throughout": refused(outside_quotes(",", "\t"), "F201"),
    "separator: full-width commas throughout": refused(outside_quotes(",", "，"), "F207"),
    "separator: semicolons under a header with commas": refused(
        both(outside_quotes(",", ";"), within(0, "bill;card;note;day;kind;paid", "bill,card,note,day,kind,paid")),
        "F201",
    ),
    "separator: semicolons in one record": rejected(
        cell(6, 1, "990105000000000006;00000106;x;2025-01-03;A1;1234.50,x"), (6, None, "F101")
    ),
    "separator: a full-width comma for one": rejected(within(6, ",", "，"), (6, None, "F101")),
    "separator: doubled in one record": rejected(within(6, ",", ",,"), (6, None, "F101")),
    "separator: missing in one record": rejected(within(6, ",", ""), (6, None, "F101")),
    "separator: one trailing in one record": harmless(ended(b",\n", 6, 6)),
    "separator: two trailing in one record": rejected(ended(b",,\n", 6, 6), (6, None, "F101")),
    "separator: one trailing in every line": refused(ended(b",\n", 0), "F207"),
    "quotes: missing around a comma": rejected(within(2, QUOTED[2], "门诊, 复诊"), (2, None, "F101")),
    "quotes: missing around a line end": rejected(
        within(8, QUOTED[8], "第一行\n第二行"), (8, None, "F101"), (9, None, "F101")
    ),
    "quotes: single ones": rejected(within(2, QUOTED[2], "'门诊, 复诊'"), (2, None, "F101")),
    "quotes: typographic ones": rejected(within(2, QUOTED[2], "“门诊, 复诊”"), (2, None, "F101")),
    "quotes: one inside a bare cell": rejected(within(6, "儿科", '儿"科'), (6, None, "F106")),
    "quotes: an inch behind a bare cell": rejected(within(6, "儿科门诊", '3.5"'), (6, None, "F106")),
    "quotes: a space before the opening one": rejected(within(2, QUOTED[2], f" {QUOTED[2]}"), (2, None, "F106")),
    "quotes: a space behind the closing one": rejected(within(2, QUOTED[2], f"{QUOTED[2]} "), (2, None, "F106")),
    "quotes: text behind the closing one": rejected(within(2, QUOTED[2], f"{QUOTED[2]}x"), (2, None, "F106")),
    "quotes: not doubled inside": rejected(within(5, QUOTED[5], '"备注 "加急" 处理"'), (5, None, "F106")),
    "quotes: one of two not doubled": rejected(within(5, QUOTED[5], '"备注 "加急"" 处理"'), (5, None, "F106")),
    "quotes: three for two": rejected(within(5, QUOTED[5], '"备注 """加急"" 处理"'), (5, None, "F106")),
    "quotes: escaped with a backslash": rejected(within(5, QUOTED[5], '"备注 \\"加急\\" 处理"'), (5, None, "F106")),
    "quotes: opening one missing before a line end": rejected(
        within(8, QUOTED[8], '第一行\n第二行"'), (8, None, "F101"), (9, None, "F106")
    ),
    "quotes: closing one missing": rejected(within(2, QUOTED[2], '"门诊, 复诊'), (2, None, "F106")),
    "quotes: opened in record 1 and not closed": rejected(within(1, "内科", '"内科'), (1, None, "F106")),
    "quotes: opened in record 6 and not closed": rejected(within(6, "儿科", '"儿科'), (6, None, "F106")),
    "quotes: opened in the last cell and not closed": rejected(within(6, "1234.50", '"1234.50'), (6, None, "F106")),
    "quotes: opened in record 11 and not closed": refused(within(11, "中药", '"中药'), (11, None, "F205")),
    "quotes: opened in record 12 and not closed": refused(within(12, "36.20", '"36.20'), (12, None, "F205")),
    "quotes: opened in one record and closed in the next": rejected(
        both(everywhere("儿科门诊", '"儿科门诊'), everywhere("检验", '检验"')), (6, "note", "L108")
    ),
    "quotes: around every cell of a record": harmless(
        within(6, "990105000000000006,00000106,儿科门诊,2025-01-03,A1,1234.50",
                    '"990105000000000006","00000106","儿科门诊","2025-01-03","A1","1234.50"')
    ),
    "quotes: around every name of the header": harmless(
        within(0, "bill,card,note,day,kind,paid", '"bill","card","note","day","kind","paid"')
    ),
    "quotes: a carriage return inside": rejected(within(8, "第一行\n第二行", "第一行\r第二行"), (8, "note", "F107")),
    "quotes: NUL inside": rejected(within(8, "第一行", "第一\x00行"), (8, "note", "F107")),
    "quotes: a bad byte behind a line end inside": rejected(within(8, "第二行", b"\xff"), (8, None, "F102")),
    "rows: a short one": rejected(within(6, ",1234.50", ""), (6, None, "F101")),
    "rows: a long one": rejected(within(6, ",1234.50", ",1234.50,x"), (6, None, "F101")),
    "rows: two joined": rejected(ended(b"", 6, 6), (6, None, "F101")),
    "rows: one twice": rejected(twice(6), (6, None, "B101"), (7, None, "B101")),
    "rows: one twice, the copy in quotes": rejected(
        before(7, '"990105000000000006",00000106,"儿科门诊",2025-01-03,A1,1234.50\n'), (6, None, "B101"),
        (7, None, "B101"),
    ),
    "rows: another one under a known key": rejected(
        cell(7, 1, "990105000000000006"), (6, None, "B101"), (7, None, "B101")
    ),
    "rows: two exchanged": harmless(exchanged(3, 9)),
    "rows: a blank line": harmless(before(7, b"\n"), (None, None, "F104")),
    "rows: blank lines at the end": harmless(behind(b"\r\n\n"), (None, None, "F104")),
    "rows: a line of spaces": rejected(before(7, b"   \n"), (7, None, "F101")),
    "rows: a line of commas": rejected(before(7, b",,,,,\n"), *((7, name, "L101") for name, _ in HEADER_AS_RECORD)),
    "rows: a preamble": refused(before(0, "收费明细,2025-01\n"), "F207"),
    "rows: a preamble as wide as the header": refused(before(0, "收费明细,,,,,\n", "\n"), "F207"),
    "rows: a footer": rejected(behind("共12条\n"), (13, None, "F101")),
    "rows: a footer without an end": refused(behind("共12条"), (13, None, "F206")),
    "rows: a footer as wide as a record": rejected(
        behind(f"合计,,,,,{TOTAL}\n"), (13, "bill", "L106"), (13, "card", "L101"), (13, "day", "L101"),
        (13, "kind", "L101"),
    ),
    "rows: a second table of another kind": rejected(
        behind("\nward,beds\n内科,20\n"), (None, None, "F104"), (13, None, "F101"), (14, None, "F101")
    ),
    "rows: the file again behind itself": rejected(
        behind(CHARGES), *every(range(13, 14), *HEADER_AS_RECORD),
        *every(range(1, 13), (None, "B101")), *every(range(14, 26), (None, "B101")),
    ),
    "rows: none": refused(cut_after(0, "\n"), "F208"),
    "rows: one missing, all declared": refused(
        dropped(6), (None, "records", "B201"), (None, "paid", "B201"), options=PAID
    ),
    "rows: one without money missing, all declared": refused(dropped(8), (None, "records", "B201"), options=PAID),
    "rows: one in place of another, all declared": refused(
        both(dropped(7), twice(6)), (6, None, "B101"), (7, None, "B101"), (None, "paid", "B201"), options=PAID
    ),
    "header: missing": refused(dropped(0), "F207"),
    "header: twice": rejected(twice(0), *every(range(1, 2), *HEADER_AS_RECORD)),
    "header: a name twice": refused(within(0, "note", "card"), "F207"),
    "header: a near miss": refused(within(0, "paid", "piad"), "F207"),
    "header: a capital": refused(within(0, "paid", "Paid"), "F207"),
    "header: full-width letters": refused(within(0, "paid", "ｐａｉｄ"), "F207"),
    "header: a space before a name": refused(within(0, "paid", " paid"), "F207"),
    "header: a zero-width space in a name": refused(within(0, "paid", "pa\u200bid"), "F207"),
    "header: a NUL in a name": refused(within(0, "paid", "pa\x00id"), "F207"),
    "header: a bad byte in a name": refused(within(0, "paid", b"pa\xffid"), "F202"),
    "header: an open quote in a name": refused(within(0, "paid", '"paid'), "F207"),
    "header: names of two columns exchanged": refused(within(0, "day,kind", "kind,day"), "F207"),
    "header: a name too many": refused(within(0, "paid", "paid,ward"), "F207"),
    "header: a name too few": refused(within(0, "note,", ""), "F207"),
    "header: a column too many": refused(both(everywhere("A1,", "A1,x,"), within(0, "kind,", "kind,ward,")), "F207"),
    "header: an empty name": refused(within(0, "note", ""), "F207"),
    "header: names translated": refused(within(0, "bill,card", "账单,卡号"), "F207"),
    "encoding: two byte order marks": refused(in_front(BOM + BOM), "F207"),
    "encoding: a byte order mark between records": rejected(before(6, BOM), (6, "bill", "F108")),
    "encoding: utf-16-le without a mark": refused(reencoded("utf-16-le"), "F202"),
    "encoding: utf-16-be without a mark": refused(reencoded("utf-16-be"), "F202"),
    "encoding: gb18030": refused(reencoded("gb18030"), "F202"),
    "encoding: gb18030, asked for": harmless(
        reencoded("gb18030"), encoding="gb18030", options=("--encoding", "gb18030")
    ),
    "encoding: gb18030 behind a byte order mark of utf-8": refused(reencoded("gb18030", BOM), "F202"),
    "encoding: a mark against the one asked for": refused(
        reencoded("utf-16-le", codecs.BOM_UTF16_LE), "F210", options=("--encoding", "gb18030")
    ),
    "line ends: CR only": refused(everywhere("\n", "\r"), "F212"),
    "line ends: CR LF": harmless(ended(b"\r\n", 0)),
    "line ends: CR LF in the first half": harmless(ended(b"\r\n", 0, 6)),
    "line ends: CR CR LF in one record": rejected(ended(b"\r\r\n", 6, 6), (6, "paid", "F107")),
    "line ends: none behind the last record": harmless(ended(b"", 12, 12)),
    "amount: thousands in quotes": rejected(within(6, "1234.50", '"1,234.50"'), (6, "paid", "L102")),
    "amount: a third decimal": rejected(cell(6, 6, "1234.500"), (6, "paid", "L103")),
    "amount: an exponent": rejected(cell(6, 6, "1.2345e3"), (6, "paid", "L102")),
    "amount: nothing": rejected(cell(6, 6, ""), (6, "paid", "L101")),
    "amount: nothing in quotes": rejected(cell(6, 6, '""'), (6, "paid", "L101")),
    "amount: a column too narrow in Excel": rejected(cell(6, 6, "########"), (6, "paid", "L102")),
    "amount: in quotes": harmless(within(6, "1234.50", '"1234.50"')),
    "amount: zero with a minus": harmless(within(8, "0.00", "-0")),
    "amount: in fen in one record, all declared": refused(
        cell(6, 6, "123450"), (None, "paid", "B201"), options=PAID
    ),
    "excel: a long identifier as a number": rejected(cell(6, 1, "9.90105E+17"), (6, "bill", "L106")),
    "excel: identifiers with fifteen digits left": rejected(
        first_cells("990105000000000000"), *every(ALL, (None, "B101"))
    ),
    "excel: leading zeros lost": rejected(cell(6, 2, "106"), (6, "card", "L106")),
    "excel: leading zeros kept by an apostrophe": rejected(cell(6, 2, "'00000106"), (6, "card", "L106")),
    "excel: leading zeros kept by a formula": rejected(cell(6, 2, '="00000106"'), (6, None, "F106")),
    "excel: a date as a serial number": rejected(cell(6, 4, "45660"), (6, "day", "L103")),
    "excel: a date with slashes": rejected(cell(6, 4, "2025/1/3"), (6, "day", "L103")),
    "excel: a date of another country": rejected(cell(6, 4, "3/1/2025"), (6, "day", "L103")),
    "excel: a date with a time": rejected(cell(6, 4, "2025-01-03 00:00:00"), (6, "day", "L103")),
    "excel: a date with a column too narrow": rejected(cell(6, 4, "########"), (6, "day", "L103")),
    "excel: a code as a logical value": rejected(cell(6, 5, "TRUE"), (6, "kind", "L104")),
    "excel: a code in small letters": rejected(cell(6, 5, "a1"), (6, "kind", "L104")),
    "a day that is none": rejected(cell(6, 4, "2025-02-30"), (6, "day", "L103")),
    "a date in full-width digits": rejected(cell(6, 4, "２０２５-01-03"), (6, "day", "L103")),
    "an identifier in full-width digits": rejected(cell(6, 2, "０0000106"), (6, "card", "L106")),
    "an identifier with a space behind it": rejected(cell(6, 2, "00000106 "), (6, "card", "L106")),
    "cut: inside the header": refused(cut_after(0, "bill,ca"), "F207"),
    "cut: inside a date of the last record": refused(cut_after(12, "2025-01"), (12, None, "F206")),
    "cut: inside the last amount, all declared": refused(
        cut_after(12, "36"), (None, "paid", "B201"), options=PAID
    ),
    "cut: inside quotes": refused(cut_after(8, "第一行\n第"), (8, None, "F205")),
    "cut: behind the sixth record, all declared": refused(
        cut_after(6, "\n"), (None, "records", "B201"), (None, "paid", "B201"), options=PAID
    ),
}  # fmt: skip
