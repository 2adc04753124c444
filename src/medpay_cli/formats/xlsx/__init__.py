"""Workbooks: read out of their markup cell by cell, audited on the way, and written without formulas."""
