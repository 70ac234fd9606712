"""The JSON Schema of retention.yaml, for editors; kept beside this module as `retention.schema.json`.

`python -m argo_retention.core.settings_schema` writes it anew.
"""

import json
from pathlib import Path
from typing import Any

from argo_retention.core.settings import Settings

KEPT = Path(__file__).with_name("retention.schema.json")


def settings_schema() -> dict[str, Any]:
    """The schema, with `defaults` as what they are: any keys of a cluster."""
    schema = Settings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "retention.yaml of argo_retention"
    defaults = schema["properties"]["defaults"]
    schema["properties"]["defaults"] = {
        "$ref": "#/$defs/ClusterSettings",
        "description": defaults["description"],
    }
    return schema


def write_schema() -> None:
    """Write the file."""
    KEPT.write_text(json.dumps(settings_schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schema()
