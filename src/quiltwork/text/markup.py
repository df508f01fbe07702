"""Elements of pages and pictures, put together in code: whatever strangers wrote in them is escaped."""

from __future__ import annotations

from markupsafe import Markup, escape

from quiltwork.text.strangers import plain


def tag(name: str, *children: Markup | str, **attributes: object) -> Markup:
    """Make an element. Attribute names have `_` for `-`, and `class_` for `class`; those that are None are left out.

    Children are escaped unless they are Markup.
    """
    said = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), plain(str(value)))
        for key, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(child if isinstance(child, Markup) else escape(plain(child)) for child in children)
    assert name.isalpha()
    return Markup("<{0}{1}>{2}</{0}>").format(name, said, inner)
