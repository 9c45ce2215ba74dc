"""Reads a table's answers: which option is right, numbers, spans, texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.errors import DatasetError
from harness.files import parse_json
from harness.schema import Kind
from harness.scoring.answers import answer_tag, letters, number
from harness.scoring.prompts import unlettered
from harness.scoring.spans import parse_gold
from tasks.files import Row
from tasks.local.settings import AnswerForm

_SPAN = re.compile(r"[\d.:]+ *s? *(?:to|-|–) *[\d.:]+ *s?")
"""A text that is nothing but a span: ``12.5 to 17.8``."""


def read_options(row: Row, column: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the options of a row as published: a list, a JSON list in a text, or some columns.

    Columns at the end may be empty: questions may have fewer options than others.
    """
    if column is None:
        return ()
    if isinstance(column, tuple):
        given = [(name, row.fields.get(name)) for name in column]
        texts = [(name, value) for name, value in given if value not in (None, "")]
        if [name for name, _ in texts] != [name for name, _ in given[: len(texts)]]:
            empty = next(name for name, value in given if value in (None, ""))
            raise row.bad(empty, "a text, as a later option has one")
        return tuple(row.scalar(name) for name, _ in texts)
    value = row.fields.get(column)
    if isinstance(value, str):
        listed = _parse_list(row, column, value)
        return Row({column: listed}, row.where).options(column)
    if isinstance(value, list):  # numbers are options, too
        value = [str(one) if type(one) in (int, float) else one for one in value]
    return Row({column: value}, row.where).options(column)


def _parse_list(row: Row, column: str, text: str) -> list[str]:
    """Return the texts of a cell that holds a JSON list, or texts between ``|``."""
    if text.lstrip().startswith("["):
        try:
            listed = parse_json(text, row.where)
        except DatasetError:
            raise row.bad(column, 'a JSON list such as ["left", "right"]') from None
        return [str(one) if type(one) in (int, float) else one for one in listed]
    if "|" not in text:
        raise row.bad(column, 'a list, a JSON list such as ["left", "right"], or left|right')
    return [part.strip() for part in text.split("|")]


def read_number(row: Row, column: str, *, above_zero: bool = False) -> str:
    """Return a number as text; a relative error is defined for numbers above 0 only."""
    text = _text_of(row, column)
    value = number(text)
    if value is None or (above_zero and value <= 0):
        raise row.bad(column, "a number above 0" if above_zero else "a number")
    return text


def read_span(row: Row, column: str | tuple[str, ...]) -> str:
    """Return a span in seconds as ``12.5 to 17.8``: of a text, a list of two or two columns."""
    if isinstance(column, tuple):
        value: object = [row.fields.get(name) for name in column]
        name = column[0]
    else:
        value, name = row.fields.get(column), column
    text = " to ".join(map(str, value)) if isinstance(value, list) else str(value)
    try:
        return str(parse_gold(answer_tag(text) or text))
    except ValueError:
        raise row.bad(name, "a start and a later end in seconds, such as 12.5 to 17.8") from None


def read_text(row: Row, column: str) -> str:
    """Return an answer that is a text."""
    text = _text_of(row, column)
    if not text:
        raise row.bad(column, "an answer, not an empty text")
    return text


def read_letter(row: Row, column: str, options: Sequence[str], form: AnswerForm | None) -> str:
    """Return the letter of the right option, which the table names by letter, text or index.

    Without a form a text that is one option's counts as that, and else a letter; an answer that is
    the text of one option and the letter of another is refused, and so is an index.
    """
    text, known = _text_of(row, column), letters(len(options))
    plain = [option.strip().casefold() for option in unlettered(options)]
    full = [option.strip().casefold() for option in options]
    folded = text.casefold()
    same = {known[at] for at, one in enumerate(plain) if folded in (one, full[at])}
    bare = text.strip("(). ").upper()
    match form:
        case AnswerForm.LETTER:
            found = {bare} & set(known)
        case AnswerForm.TEXT:
            found = same
        case AnswerForm.INDEX_FROM_0 | AnswerForm.INDEX_FROM_1:
            at = int(text) - (form is AnswerForm.INDEX_FROM_1) if text.isdecimal() else -1
            found = {known[at]} if 0 <= at < len(known) else set()
        case None:
            found = same | ({bare} & set(known))
            if not found and text.isdecimal():
                raise row.bad(
                    column,
                    "the letter or the text of an option; for a number say whether the first option"
                    ' is 0 or 1: answers = "index-from-0" or "index-from-1" in the TOML file',
                )
    if len(found) != 1:
        raise row.bad(column, _expected(form, options, found))
    return found.pop()


def _expected(form: AnswerForm | None, options: Sequence[str], found: set[str]) -> str:
    if found:
        return (
            f'one option, and this is {" and ".join(sorted(found))}; set answers = "letter" or'
            ' "text" in the TOML file'
        )
    what = {
        AnswerForm.LETTER: "the letter",
        AnswerForm.TEXT: "the text",
        AnswerForm.INDEX_FROM_0: "the index, from 0,",
        AnswerForm.INDEX_FROM_1: "the index, from 1,",
        None: "the letter or the text",
    }[form]
    return f"{what} of one of its options ({' | '.join(options):.80})"


def _text_of(row: Row, column: str) -> str:
    text = row.scalar(column)
    return (answer_tag(text) or text).strip()


def infer_kind(row: Row, column: str | tuple[str, ...], options: Sequence[str]) -> Kind:
    """Return the kind of a question whose table does not say it."""
    if options:
        return Kind.MULTIPLE_CHOICE
    if isinstance(column, tuple) or isinstance(row.fields.get(column), list):
        return Kind.SPAN
    text = _text_of(row, column)
    if number(text) is not None:
        return Kind.NUMERICAL
    return Kind.SPAN if _SPAN.fullmatch(text) else Kind.FREE_FORM
