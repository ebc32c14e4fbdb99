"""Texts made of the settings' own descriptions: the template of foodsort.toml and docs/settings.md.

`python -m daemon.settings_text > docs/settings.md` writes the reference.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from daemon.settings import FILE, Settings, variable_name

_INTRODUCTION = f"""\
# Settings

All settings of `{FILE}` in the root; `foodsort init` creates that file with every setting explained. Each
setting is also an environment variable; a list in a variable is JSON. Options override variables, which override the
file, which overrides the defaults. A running daemon reads the file again on `SIGHUP`.

This page is generated: `python -m daemon.settings_text > docs/settings.md`.
"""


def template() -> str:
    """Returns a foodsort.toml with every setting at its default, commented out, each with its description."""
    lines = ["# Settings of foodsort. Each line shows a default; remove the # to change it.", ""]
    for name, section in _sections():
        lines.append(f"[{name}]")
        for key, field in type(section).model_fields.items():
            lines += [f"# {field.description}", f"#{key} = {_toml(getattr(section, key))}"]
        lines.append("")
    return "\n".join(lines)


def reference() -> str:
    """Returns docs/settings.md: a table for each section."""
    lines = [_INTRODUCTION]
    for name, section in _sections():
        schema = type(section).model_json_schema()
        lines += [
            f"## [{name}]",
            "",
            schema["description"],
            "",
            "| key | values | default | environment variable | description |",
            "|---|---|---|---|---|",
        ]
        for key, field in schema["properties"].items():
            default = _toml(getattr(section, key))
            lines.append(
                f"| `{key}` | {_values(field)} | `{default}` | `{variable_name(name, key)}` | {field['description']} |"
            )
        lines.append("")
    return "\n".join(lines)


def _sections() -> Iterator[tuple[str, BaseModel]]:
    for name, field in Settings.model_fields.items():
        yield name, field.default


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)


def _values(schema: Mapping[str, Any]) -> str:
    """Describes the allowed values by the JSON schema of a setting."""
    if "enum" in schema:
        return ", ".join(f'`"{value}"`' for value in schema["enum"])
    if "anyOf" in schema:
        return ", ".join(map(_values, schema["anyOf"]))
    if "const" in schema:
        return f'`"{schema["const"]}"`'
    if schema["type"] == "boolean":
        return "`true`, `false`"
    if schema["type"] == "array":
        return "list of texts"
    if schema["type"] == "string":
        return "text, not empty" if schema.get("minLength") else "text"
    kind = "whole number" if schema["type"] == "integer" else "number"
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "maximum": "≤"}
    return ", ".join([kind, *(f"{sign} {schema[limit]:g}" for limit, sign in signs.items() if limit in schema)])


if __name__ == "__main__":
    sys.stdout.write(reference())
