"""No layout loses a field of the reference tables, nor says otherwise than they do without a reason."""

from __future__ import annotations

from collections import Counter

import compare_reference
import pytest

from medpay_cli import config

FOLDER = compare_reference.folder()


def test_every_layout_has_a_table_or_is_our_own():
    assert set(compare_reference.TABLES) | compare_reference.OURS == set(config.names(config.LAYOUT))
    assert not set(compare_reference.TABLES) & compare_reference.OURS


@pytest.mark.skipif(FOLDER is None, reason="no reference tables: MEDPAY_REFERENCE is not set, no ../shared/reference")
class TestTables:
    """The tables are not part of the project."""

    differences = compare_reference.compare(FOLDER) if FOLDER else []

    def test_every_difference_has_a_reason(self):
        unexplained = [one for one in self.differences if not one.reason]
        assert not unexplained, "\n" + compare_reference.table(unexplained)

    def test_no_field_is_lost_and_none_is_shorter(self):
        kinds = Counter(one.kind for one in self.differences)
        assert (kinds["lost"], kinds["shorter"]) == (0, 0)
        assert kinds["hardened"] > 0  # the comparison sees something

    def test_every_table_of_a_layout_has_fields(self):
        empty = [name for name in compare_reference.TABLES if not compare_reference.stated(FOLDER, name)]
        assert empty == []
