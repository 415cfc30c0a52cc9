"""Configuration files: YAML checked by a typed model, with file, line and key in each error; their JSON Schemas."""

from __future__ import annotations

from posebot.config.document import Document, read_document, with_lines
from posebot.config.read import read_yaml, validate
from posebot.config.schema import json_schema

__all__ = ["Document", "json_schema", "read_document", "read_yaml", "validate", "with_lines"]
