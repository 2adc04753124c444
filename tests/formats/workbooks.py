"""Workbooks to read: made by a library, or by hand where no library would write such a thing."""

import io
import zipfile
from xml.sax.saxutils import quoteattr

from medpay_cli import formats
from medpay_cli.dialects import Dialect
from medpay_cli.formats import LINE, ROW
from medpay_cli.formats.archive import Input

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def read(content, dialect, names):
    """Every batch of a file: node → cells of all records in order, faults (code, line, path, field, value)."""
    spool = io.BytesIO(content)
    text, faults, records = {}, {}, {}

    def gather(batches):
        for batch, _ in batches:
            at = records.get(batch.node, 0)
            rows = [batch.text[ROW].to_list(), *(one["row"].to_list() for one in (batch.faults,))]
            assert all(one is None or 1 <= one <= batch.records for row in rows for one in row)
            assert len(batch.kinds) == batch.records
            text.setdefault(batch.node, []).extend(
                (row + at, line, *cells)
                for row, line, *cells in batch.text.select(ROW, LINE, *names[batch.node]).iter_rows()
            )
            faults.setdefault(batch.node, []).extend(
                batch.faults.select("code", "line", "path", "field", "value").rows()
            )
            records[batch.node] = at + batch.records

    formats.read(Input("made.xlsx", spool=spool), dialect, names, lambda _: None, gather)
    return text, faults, records


def cells(content, dialect, names):
    """The cells of the only node, without their places, and its faults."""
    text, faults, _ = read(content, dialect, {None: tuple(names)})
    return [record[2:] for record in text.get(None, [])], faults.get(None, [])


def dialect(**more):
    """Our dialect with a header, and what a test adds."""
    return Dialect(**{"name": "made", "layout": "", "format": "xlsx", "header": True} | more)


def workbook(sheet, *, strings=None, styles=None, properties="", names=("prices",), states=("visible",), head=""):
    """A workbook of sheets in plain markup: `sheet` is what stands in sheetData, and behind it if it says so."""
    sheets = [sheet] if isinstance(sheet, str | bytes) else sheet
    listed = "".join(
        f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}"{"" if state == "visible" else f" state={state!r}"}/>'
        for at, (name, state) in enumerate(zip(names, states, strict=True), 1)
    ).replace("'", '"')
    links = "".join(
        f'<Relationship Id="rId{at}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{at}.xml"/>'
        for at in range(1, len(sheets) + 1)
    )
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r" Type="{OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{properties}<sheets>{listed}</sheets>'
        "</workbook>",
    }
    if strings is not None:
        links += f'<Relationship Id="s" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
        parts["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}">{strings}</sst>'
    if styles is not None:
        links += f'<Relationship Id="t" Type="{OFFICE}/styles" Target="/xl/styles.xml"/>'
        parts["xl/styles.xml"] = f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>'
    parts["xl/_rels/workbook.xml.rels"] = f'<Relationships xmlns="{PACKAGE}">{links}</Relationships>'
    for at, one in enumerate(sheets, 1):
        body = one if isinstance(one, bytes) or "</sheetData>" in one else f"{one}</sheetData>"
        parts[f"xl/worksheets/sheet{at}.xml"] = (
            body if isinstance(body, bytes) else f'<worksheet xmlns="{MAIN}">{head}<sheetData>{body}</worksheet>'
        )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(
                name, part if isinstance(part, bytes) else f'<?xml version="1.0" encoding="UTF-8"?>\n{part}'
            )
    return file.getvalue()


def part(body, declaration="", encoding="utf-8"):
    """A sheet's part as it stands."""
    return f'{declaration}<worksheet xmlns="{MAIN}"><sheetData>{body}'.encode(encoding)


def row(number, *texts, more=""):
    """A row of text cells as LibreOffice-like programs write them; None leaves a cell out."""
    written = "".join(
        f'<c r="{chr(65 + at)}{number}" t="inlineStr"><is><t>{text}</t></is></c>'
        for at, text in enumerate(texts)
        if text is not None
    )
    return f'<row r="{number}"{more}>{written}</row>'


def styles(*codes):
    """Cell styles 1, 2, … with these number formats; a number is a format known by number."""
    own = "".join(
        f'<numFmt numFmtId="{170 + at}" formatCode={quoteattr(code)}/>'
        for at, code in enumerate(codes)
        if isinstance(code, str)
    )
    used = "".join(f'<xf numFmtId="{170 + at if isinstance(code, str) else code}"/>' for at, code in enumerate(codes))
    return f'<numFmts>{own}</numFmts><cellXfs><xf numFmtId="0"/>{used}</cellXfs>'
