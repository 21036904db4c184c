"""Parses XML that others wrote: no entities, no network, no document type, bounded depth.

The cap on depth is libxml2's own (256 elements); what holds the XML bounds its size.
"""

from __future__ import annotations

from typing import Any


class UnsafeXmlError(ValueError):
    """The XML is not well-formed, too deep, or has a document type, which could define entities."""


def parse_xml(data: bytes) -> Any:
    """Return the root element (lxml's) of an XML document; raises `UnsafeXmlError`.

    A document type is refused whatever it holds: no format that is read here has one, and entities
    are how a small file becomes a large one ("billion laughs") or reads another.
    """
    from lxml import etree  # late: 30 ms that most commands do not need

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnsafeXmlError(str(error)) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnsafeXmlError("a document type is not allowed")
    return root
