"""The index over the text knows every key that the standard parser finds, on its line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from hub.config.errors import Keys
from hub.config.lines import line_index


def keys_of(value: Any, at: Keys = ()) -> Iterator[Keys]:
    """The way to everything inside a parsed value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*at, key)
        if isinstance(inner, dict | list):
            yield from keys_of(inner, (*at, key))


def test_every_way_to_write_a_key() -> None:
    text = '''\
plain = 1
dotted . "in part" = 2 # [comment]
text = """
[not.a.table]
x = 1 \\""" """""
literal = \'\'\'
'quoted' ''\'\'\'

[table]
array = [ # ]
  1, [2, "]"],
  { deep = "}", er = [3] },
]
date = 1979-05-27 07:32:00

[[list]]
a = 1
[list.inner."x.y"]
b = 2
[[list.more]]
[[list.more]]
c = 3
[[list]]
[list.inner]
d = 4
[later.made.first]
[later]
'''
    index = line_index(text)
    assert set(keys_of(tomllib.loads(text))) == set(index)
    assert {key: index[key] for key in [
        ("plain",), ("dotted", "in part"), ("text",), ("literal",), ("table",),
        ("table", "array", 1, 1), ("table", "array", 2, "er", 0), ("table", "date"),
        ("list", 0, "a"), ("list", 0, "inner", "x.y", "b"), ("list", 0, "more", 1, "c"),
        ("list", 1), ("list", 1, "inner", "d"), ("later", "made", "first"), ("later",),
    ]} == {
        ("plain",): 1, ("dotted", "in part"): 2, ("text",): 3, ("literal",): 6, ("table",): 9,
        ("table", "array", 1, 1): 11, ("table", "array", 2, "er", 0): 12, ("table", "date"): 14,
        ("list", 0, "a"): 17, ("list", 0, "inner", "x.y", "b"): 19,
        ("list", 0, "more", 1, "c"): 22, ("list", 1): 23, ("list", 1, "inner", "d"): 25,
        ("later", "made", "first"): 26, ("later",): 27,
    }  # fmt: skip


# Documents are put together from pieces; those that the parser refuses are of no interest.
_names = st.sampled_from(["a", "b", "c-1", '"q.uoted"', "'li\\teral'", '"\\u00e9"', "1"])
_keys = st.lists(_names, min_size=1, max_size=3).map(" . ".join)
_strings = st.sampled_from(
    ['"x # ] }"', "'a \\'", '"esc \\" ]"', '"""m\n["x"]\n"""', '"""q\\"""x"""""', "'''l\n'\n'''''"]
)
_scalars = st.sampled_from(["1", "-0.5e3", "true", "1979-05-27 07:32:00", "07:32:00", "0xff"])
_values = st.recursive(
    _strings | _scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[ # ]\n" + " ,\n".join(items) + "\n]")
        | st.lists(st.tuples(_keys, inner), max_size=2).map(
            lambda pairs: "{ " + ", ".join(f"{key} = {value}" for key, value in pairs) + " }"
        )
    ),
    max_leaves=6,
)
_lines = (
    st.tuples(_keys, _values).map(lambda pair: f"{pair[0]} = {pair[1]} # c = 1")
    | _keys.map(lambda key: f"[ {key} ]")
    | _keys.map(lambda key: f"[[{key}]]")
    | st.sampled_from(["", "# [x]", "\t"])
)


@given(st.lists(_lines, max_size=8))
@example(["[[a]]", "[a.b]", "[[a]]", "[a.b]", "c = 1"])
def test_the_index_has_the_keys_of_the_parsed_document(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    index = line_index(text)
    assert set(keys_of(document)) <= set(index)
    assert set(index) - set(keys_of(document)) == set()
    for line in index.values():
        assert 1 <= line <= text.count("\n") + 1


@given(st.lists(st.tuples(st.integers(0, 3), _values), min_size=1, max_size=6))
def test_each_key_is_on_the_line_where_it_begins(values: list[tuple[int, str]]) -> None:
    text, expected = "", {}
    for number, (blank, value) in enumerate(values):
        text += "\n" * blank
        expected[f"key{number}",] = text.count("\n") + 1
        text += f"key{number} = {value}\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    index = line_index(text)
    assert {key: index[key] for key in expected} == expected
