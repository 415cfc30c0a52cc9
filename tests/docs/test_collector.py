"""The collector of code blocks itself: comments before blocks, hidden blocks, languages, units."""

from pathlib import Path

from tests.docs import blocks as md

_PAGE = """
Text.

```sh
true
```

<!-- test: setup
```python
open("a", "w")
```
-->

<!-- test: long continue -->
```python
open("a")
```

1. In a list:

    <!-- test: skip needs a robot -->
    ```bash
    posebot serve
    ```

<!-- test: fails 2 -->
```sh
exit 2
```

```text
sh
```
"""


def test_blocks_units_and_words(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(_PAGE)
    blocks = md.blocks(page)
    assert [block.language for block in blocks] == ["sh", "python", "python", "bash", "sh", "text"]
    assert [block.setup for block in blocks] == [False, True, False, False, False, False]
    assert blocks[0].line == 4
    assert blocks[3].argument("skip") == "needs a robot"
    assert blocks[3].body == "posebot serve\n"
    units = md.units(page)
    assert [[block.line for block in unit.blocks] for unit in units] == [[4], [9, 15], [27]]
    assert [unit.long for unit in units] == [False, True, False]
    assert units[1].name(tmp_path) == "page.md:15"
    assert units[2].blocks[0].argument("fails") == "2"
