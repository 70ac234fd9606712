"""Taking one key out of a YAML text, with comments and layout of the rest as they are.

PyYAML forgets comments, so the lines are cut by hand; the result is parsed and compared, and where the cut
went wrong (flow style, an anchor that is used elsewhere) the text is written anew, without its comments.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from argo_retention.core.config_maps import parse_yaml
from argo_retention.errors import ConfigurationError

_SOURCE = "YAML"


def without_key(text: str, path: Sequence[str]) -> str:
    """The text without the key at this path; as it was where there is no such key.

    Raises ConfigurationError when the text is not YAML.
    """
    value, _ = parse_yaml(text, source=_SOURCE)
    wanted = _without(value, path)
    if wanted == value:
        return text
    cut = _cut(text, path)
    try:
        if (parse_yaml(cut, source=_SOURCE)[0] or {}) == wanted:
            return cut
    except ConfigurationError:  # an anchor went with the key
        pass
    return yaml.safe_dump(wanted, sort_keys=False)


def _without(value: Any, path: Sequence[str]) -> Any:
    """A copy of nested maps without one key."""
    if not isinstance(value, Mapping):
        return value
    head, *rest = path
    if rest:
        return {
            key: _without(inner, rest) if key == head else inner for key, inner in value.items()
        }
    return {key: inner for key, inner in value.items() if key != head}


def _cut(text: str, path: Sequence[str]) -> str:
    """Without the lines from the key to the end of its value."""
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    lines = text.splitlines(keepends=True)
    first = 0
    for part in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        key, node = next((pair for pair in pairs if pair[0].value == part), (None, None))
        if key is None:  # it comes from a merge key
            return text
        first = key.start_mark.line
    del lines[first : _last_line(node) + 1]
    return "".join(lines)


def _last_line(node: yaml.Node) -> int:
    """Line of the last scalar; the end mark of a block is behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    mark = node.end_mark
    # A text in block style ends at the beginning of the next line.
    ends_before = mark.column == 0 and mark.line > node.start_mark.line
    return int(mark.line) - (1 if ends_before else 0)
