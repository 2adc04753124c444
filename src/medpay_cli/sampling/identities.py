"""Invented identifiers: each kind numbered from 0, with its check digits, its days and divisions that there are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import cache

from medpay_cli.layouts import code_list

Texts = Callable[[int], str]
BIRTHS = [(date(1940, 1, 1) + timedelta(days)).strftime("%Y%m%d") for days in range(70 * 365)]
# GB 11643: the weight of each of the 17 digits, and the check digit for each remainder.
WEIGHTS, CHECKS = [2**place % 11 for place in range(17, 0, -1)], "10X98765432"
# GB 32100: the characters by their values.
CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@cache
def _places() -> list[str]:
    return list(code_list("admdvs"))


@cache
def _provinces() -> list[str]:
    return sorted({place[:2] for place in _places()})


def _citizen_id(number: int) -> str:
    number, place = divmod(number, len(_places()))
    number, day = divmod(number, len(BIRTHS))
    digits = f"{_places()[place]}{BIRTHS[day]}{number % 1000:03}"
    return digits + CHECKS[sum(map(int.__mul__, map(int, digits), WEIGHTS)) % 11]


def sex_of(citizen_id: str) -> str:
    """The code of the sex that such a number tells."""
    return "1" if int(citizen_id[16]) % 2 else "2"


def birth_of(citizen_id: str) -> str:
    """The day of birth that such a number tells, eight digits."""
    return citizen_id[6:14]


def _uscc(number: int) -> str:
    number, place = divmod(number, len(_places()))
    body = f"12{_places()[place]}{number % 10**9:09}"
    total = sum(CHARACTERS.index(letter) * 3**place for place, letter in enumerate(body))
    return body + CHARACTERS[-total % 31]


def _institution(number: int) -> str:
    number, place = divmod(number, len(_places()))
    return f"H{_places()[place]}{number % 10**5:05}"


def _msgid(number: int) -> str:
    number, second = divmod(number, 86400)
    clock = f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"
    number, count = divmod(number, 10**4)
    return f"{_institution(number)}202503{number % 28 + 1:02}{clock}{count:04}"


def _drug(number: int) -> str:
    number, is_patent = divmod(number, 2)
    if is_patent:
        return f"Z{LETTERS[number % 26]}01AA{LETTERS[number // 26 % 26]}{number % 10**13:013}"
    return f"X{LETTERS[number % 26]}01AA{LETTERS[number // 26 % 26]}001A{number % 10**12:012}"


def _catalogue_code(number: int) -> str:
    number, family = divmod(number, 4)
    return (_drug, _herbal_piece, _consumable, _service_item)[family](number)


def _herbal_piece(number: int) -> str:
    return f"T{number % 10**9:09}"


def _consumable(number: int) -> str:
    return f"C{number % 10**19:019}"


def _service_item(number: int) -> str:
    return f"00{number % 10**13:013}"


def _icd10(number: int) -> str:
    letter, rest = divmod(number, 10**5)
    return f"{LETTERS[letter]}{rest // 1000:02}.{rest % 1000:03}"


def _icd9cm3(number: int) -> str:
    return f"{number // 10**4:02}.{number % 10**4:04}"


def _einvoice_code(number: int) -> str:
    number, province = divmod(number, len(_provinces()))
    return f"{_provinces()[province]}{number % 10**4:04}25"


# As many as there are of each kind, and which.
KINDS: dict[str, tuple[int, Texts]] = {
    "citizen_id": (10**10, _citizen_id),
    "uscc": (10**12, _uscc),
    "institution": (10**8, _institution),
    "practitioner": (10**12, lambda number: f"D{number:012}"),
    "msgid": (10**12, _msgid),
    "drug_western": (10**12, lambda number: _drug(2 * number)),
    "drug_patent": (10**12, lambda number: _drug(2 * number + 1)),
    "drug": (10**12, _drug),
    "herbal_piece": (10**9, _herbal_piece),
    "preparation": (10**10, lambda number: f"F{number:010}"),
    "consumable": (10**12, _consumable),
    "service_item": (10**12, _service_item),
    "catalogue_code": (4 * 10**9, _catalogue_code),
    "icd10": (26 * 10**5, _icd10),
    "icd9cm3": (10**6, _icd9cm3),
    "einvoice_code": (10**5, _einvoice_code),
    "einvoice_number": (10**10, lambda number: f"{number:010}"),
    "einvoice_check": (10**6, lambda number: f"{number:06}"),
}
