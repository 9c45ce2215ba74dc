"""Finds the option that a reply names by its letter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.scoring.flexible.mentions import Mention, letter_mentions, negated
from harness.scoring.flexible.reply import AMBIGUOUS, ECHO, Reply, taken_back

QUALITY = (
    r"(?:correct|best|right|final|true|appropriate|accurate|suitable|likely|plausible|fitting|"
    r"probable|closest|proper|better|chosen|selected|precise|reasonable|matching|my)"
)
WHAT = r"(?:answers?|options?|choices?|response|selection|solution|letter|match|guess|pick)"
IS = (
    r"(?:\s*(?:(?:is|are|would be|must be|should be|will be|could be|may be|might be|seems to be|"
    r"appears to be|remains)\b|'s\b)\s*[:=]?|\s*[:=]|\s+-)"
)
_CUE = re.compile(
    rf"(?:\b(?:{QUALITY}\s+)?{WHAT}\b(?:\s+(?:to|for|of|from|in|based|that|here|given|among|which|"
    rf"regarding|about|according|is that|would|on)\b[^.!?\n]{{0,160}}?)?{IS}"
    r"|\b(?:i|we)(?:'d|'ll|\s+would|\s+will|\s+must|\s+have to)?\s+(?:choose|pick|select|go with|"
    r"say|"
    r"answer|opt for|think|believe|guess|conclude|chose)(?:\s+(?:it is|it's|that|is))*"
    r"|\b(?:choose|select|selecting|choosing)\b"
    r"|\b(?:wait|actually|i mean|correction|or rather)\b[,:]?"
    r"|\b(?:so|therefore|thus|hence|consequently|must be|it is|it's|that's|which is|i'd say)\b,?"
    r"|(?:答案|选项|正确选项|应选|故选|应该选|选择|选)\s*(?:应该|应)?(?:是|为|选)?\s*[::]?)",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"^(?:[\s:=\"'*,(\[-]|(?:most\s+likely|likely|probably|clearly|definitely|therefore|option|"
    r"choice|letter|answer|number|the|is|be|either|indeed|simply|actually|in fact|as follows|"
    r"correct|best)\b)*",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"^[\"')\].]*\s*(?:,\s*)?(?:and|or|and/or|&|/|und|,)\s*(?:both\s+)?(?:option\s+)?[\"'(\[]?"
)


def _cued_letter(reply: Reply) -> Iterator[tuple[int, str]]:
    """Yield letters that stand right behind words such as *the answer is*."""
    any_case = "".join(reply.known) + "".join(reply.known).lower()
    for sentence in reply.sentences:
        for cue in _CUE.finditer(sentence.text):
            rest = sentence.text[cue.end() :]
            filler = _FILLER.match(rest)
            skipped = filler.end() if filler else 0
            at = cue.end() + skipped
            match = re.match(rf"([{any_case}])(?![\w'-])", sentence.text[at:])
            if not match or not _is_letter(reply, sentence.text, at, cue):
                continue
            letter = match[1].upper()
            if taken_back(reply, sentence.text, at, at + 1):
                continue
            behind = sentence.text[at + 1 :]
            if _names_more(behind, reply.known, letter) or _contradicts(reply, behind, letter):
                letter = AMBIGUOUS
            yield sentence.start + at, letter


def _is_letter(reply: Reply, sentence: str, at: int, cue: re.Match[str]) -> bool:
    """Return whether a character behind a cue is an option's letter, and no word."""
    before, letter, after = sentence[at - 1 : at], sentence[at], sentence[at + 1 :]
    if before in ("(", "[", '"', "'") or re.match(r"[.):\]\"',;!?]|\s*$", after):
        return letter.isupper() or before in ("(", "[") or not after.strip(" .!?")
    if letter.islower():
        return False
    stated = reply.wordings.stated(after[:80])
    if letter not in "AI":
        return True
    own = reply.known.index(letter)
    if stated and stated[0].start < 4:
        return stated[0].index == own
    return bool(re.match(r"\s+(?:because|since|as|is|for|with|which|based|and|or|-)\b", after))


def _names_more(rest: str, known: Sequence[str], letter: str) -> bool:
    """Return whether a letter is followed by another one in a list: ``A or B``."""
    first = rest
    match = _MORE.match(first)
    if match:
        after = first[match.end() :]
        found = re.match(rf"([{''.join(known)}])(?![\w'-])", after)
        return bool(found and found[1] != letter)
    wording = re.match(
        r"^[.):]\s+[^.!?\n]{1,120}?\s+(?:and|or)\s+(?:option\s+)?[(\"]?([A-Z])[.):]", rest
    )
    return bool(wording and wording[1] in known and wording[1] != letter)


def _contradicts(reply: Reply, behind: str, letter: str) -> bool:
    """Return whether a letter is followed by the wording of another option: ``A. (text of B)``."""
    mark = re.match(r"[.):\]\"',-]+\s*(.*)", behind.partition("\n")[0])
    index = reply.wordings.alone(mark[1]) if mark else None
    return index is not None and reply.known[index] != letter


_JUDGED = re.compile(
    r"^[\s\"')\].,:]*[^.!?\n]{0,80}?\b(?:is|are|would be|seems|appears|as|being|must be|looks)\b"
    rf"\s*(?:to be\s+)?(?:the\s+|my\s+|a\s+)?(?:most\s+)?(?:{QUALITY})\b",
    re.IGNORECASE,
)
_ALL_BUT = re.compile(
    r"\b(?:all|every\w*|any\w*)\b[^.!?\n]{0,30}\b(?:except|but|besides|other than)\s+(?:for\s+)?"
    r"(?:option\s+)?[(\[\"]?([A-Z])\b[^.!?\n]{0,30}\b(?:wrong|incorrect|false|"
    r"ruled out|excluded)\b",
    re.IGNORECASE,
)
_IS_OPTION = re.compile(
    r"(?:\b(?:is|that's|which is|represents|matches|describes|corresponds to|matching|"
    r"corresponding to|making|choose|select|go with|be)\s+(?:best\s+)?(?:answer|option|choice|"
    r"letter)\s*[\"'(\[]?\s*|[(\[]\s*(?:option|choice)\s+)([A-Z])\b",
    re.IGNORECASE,
)


def _judged_letter(reply: Reply) -> Iterator[tuple[int, str]]:
    """Yield letters that a sentence calls right: ``B is correct``, ``which is option B``."""
    for sentence in reply.sentences:
        named = letter_mentions(sentence.text, reply.known)
        for mention in named:
            if taken_back(reply, sentence.text, mention.start, mention.end):
                continue
            rest = sentence.text[mention.end :]
            judged = _JUDGED.match(rest)
            if judged and not _has_mention(named, mention, mention.end + judged.end()):
                several = any(
                    one.letter != mention.letter
                    and re.fullmatch(
                        r"[\s,)\]]*(?:and|or|&|,)\s*[(\[]?", sentence.text[one.end : mention.start]
                    )
                    for one in named
                )
                yield sentence.start + mention.start, AMBIGUOUS if several else mention.letter
        for match in _ALL_BUT.finditer(sentence.text):
            if match[1] in reply.known:
                yield sentence.start + match.start(1), match[1]
        for match in _IS_OPTION.finditer(sentence.text):
            if match[1] in reply.known and not negated(sentence.text, match.start(), match.end()):
                yield sentence.start + match.start(1), match[1]


def _has_mention(named: Sequence[Mention], mention: Mention, end: int) -> bool:
    return any(mention.end <= other.start < end for other in named)


def _lone_letter(reply: Reply) -> Iterator[tuple[int, str]]:
    """Yield letters that are a line, or the last sentence, of their own."""
    pattern = _line_pattern("".join(reply.known))
    for match in pattern.finditer(reply.text):
        yield match.start(), (match[1] or match[2]).upper()
    last = reply.sentences[-1] if reply.sentences else None
    if last is not None:
        final = re.fullmatch(
            rf"(?:(?:so|therefore|thus|hence|answer|option)[,:]?\s+)?[(\[\"]?([{''.join(reply.known)}])"
            r"[)\]\".!]*",
            last.text,
            re.IGNORECASE,
        )
        if final and (final[1].isupper() or len(reply.sentences) == 1):
            yield last.start, final[1].upper()
    glued = re.search(rf"(?<=[a-z0-9)][.!?])([{''.join(reply.known)}])[.)]?\s*$", reply.text)
    if glued:
        yield glued.start(), glued[1]


def _line_pattern(known: str) -> re.Pattern[str]:
    return re.compile(
        rf"^[ \t]*[(\[\"']?([{known}])[)\]\"'.:,!]*[ \t]*$|"
        rf"^[ \t]*[(\[\"']([{known.lower()}])[)\]\"'.]+[ \t]*$|^(?:\s*)\Z(?!)",
        re.MULTILINE,
    )


def _lettered_line(reply: Reply) -> Iterator[tuple[int, str]]:
    """Yield letters with their option's wording on a line of their own."""
    for match in ECHO.finditer(reply.text):
        if match[1] not in reply.known:
            continue
        wording = re.sub(r"^\s*[(\[]?[A-Z][.):\]]+\s*", "", match[0])
        index = reply.wordings.alone(wording)
        if index is not None:
            right = index == reply.known.index(match[1])
            yield match.start(), match[1] if right else AMBIGUOUS


def find_statement(reply: Reply) -> str | None:
    """Return the letter of the last explicit statement."""
    found = [
        *_cued_letter(reply),
        *_judged_letter(reply),
        *_lone_letter(reply),
        *_lettered_line(reply),
    ]
    return max(found, key=lambda one: one[0])[1] if found else None


def find_only_letter(reply: Reply) -> str | None:
    """Return the letter that is all a reply says, in any case, possibly over and over."""
    said = re.findall(r"[^\W_]+", reply.text)
    found = {word.upper() for word in said}
    if len(found) != 1 or not said:
        return None
    [letter] = found
    return letter if letter in reply.known and len(said[0]) == 1 else None


def find_first_letter(reply: Reply) -> str | None:
    """Return the letter with which a reply begins, set off by a mark: ``B. moving right``."""
    known = "".join(reply.known)
    match = re.match(
        rf"[(\[\"']?(?:(?i:option|choice|answer)\s+)?([{known}])(?:[)\]\"'.:,-]+(?=\s|$|[A-Z])|\s*\n)",
        reply.text,
    )
    if not match:
        match = re.match(rf"([{known.lower()}])[).:]\s", reply.text)
    if not match or _names_more(reply.text[match.end(1) :], reply.known, match[1].upper()):
        return None
    letter = match[1].upper()
    if _contradicts(reply, reply.text[match.end(1) :].partition("\n")[0], letter):
        return AMBIGUOUS
    return None if taken_back(reply, reply.sentences[0].text, 0, match.end(1)) else letter


def find_single_letter(reply: Reply) -> str | None:
    """Return the only letter that a reply names without taking it back."""
    named: set[str] = set()
    weak: set[str] = set()
    for sentence in reply.sentences:
        for one in letter_mentions(sentence.text, reply.known):
            if not taken_back(reply, sentence.text, one.start, one.end):
                (named if one.strong else weak).add(one.letter)
    if len(named) > 1 or (len(named | weak) > 1):
        return AMBIGUOUS
    return next(iter(named or weak), None)
