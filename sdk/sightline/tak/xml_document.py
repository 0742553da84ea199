"""Small XML documents from others (packages, enrolment), read without XML's dangers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn
from xml.etree import ElementTree as ET
from xml.parsers import expat

# Packages call themselves ASCII and hold names in UTF-8, of which ASCII is a part.
_ASCII = re.compile(rb"""<\?xml [^>]{0,40}encoding=["'](?:US-)?ASCII["']""", re.IGNORECASE)


class _DoctypeError(Exception):
    pass


def parse_document(data: bytes) -> ET.Element:
    """The root element. Raises ValueError, also for any document type.

    Entities can only be declared in a document type, and with them come expansion bombs and outside
    files (OWASP, "XML External Entity Prevention").
    """
    encoding = "utf-8" if _ASCII.match(data) else None
    parser = expat.ParserCreate(encoding)
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(data, True)
        # Without a document type there is nothing to expand.
        return ET.fromstring(data, ET.XMLParser(encoding=encoding))  # noqa: S314
    except _DoctypeError:
        raise ValueError("it has a document type, which is refused") from None
    except (ET.ParseError, expat.ExpatError, LookupError, ValueError) as error:
        raise ValueError("it is not well-formed XML") from error


def elements(root: ET.Element, name: str) -> Iterator[ET.Element]:
    """All elements of that name, whatever their namespace, in document order."""
    for element in root.iter():
        if isinstance(element.tag, str) and local_name(element) == name:
            yield element


def local_name(element: ET.Element) -> str:
    """The name without its namespace."""
    return element.tag.rpartition("}")[2]


def _refuse(*_: object) -> NoReturn:
    raise _DoctypeError
