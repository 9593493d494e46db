"""JSON and YAML that somebody made to take long or to end in a traceback: a ValueError at once; sound ones pass."""

import time

import pytest

from uadbench.core.documents import LEVELS, check_extent, of_json, of_yaml


def doubled(first: str, opening: str, closing: str) -> str:
    """Lines of YAML, each of which names the one before nine times."""
    nine = [",".join([f"*k{k}"] * 9) for k in range(12)]
    return "\n".join([f"k0: &k0 {first}", *(f"k{k + 1}: &k{k + 1} {opening}{nine[k]}{closing}" for k in range(11))])


HOSTILE = {
    "aliases": doubled("[x]", "[", "]"),
    "merged mappings": doubled("{a: 1}", "{<<: [", "]}"),
    "aliases of aliases": "\n".join(["k0: &k0 [x]", *(f"k{k}: &k{k} [*k{k - 1}]" for k in range(1, 3000))]),
    "an alias of itself": "a: &a [*a]",
    "lists": "[" * 5000 + "]" * 5000,
    "mappings": "{a: " * 5000 + "}" * 5000,
    "blocks": "- " * 5000,
    "too many characters": "a" * 2**21,
    "a number without digits": "a: !!int ''",
    "a date without digits": "a: !!timestamp x",
    "code": "a: !!python/object/apply:os.system [ls]",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_yaml_is_refused_at_once(name):
    began = time.process_time()
    with pytest.raises(ValueError, match=r"\S") as error:
        of_yaml(HOSTILE[name])
    assert "\n" not in str(error.value)
    assert time.process_time() - began < 5


def test_sound_yaml_is_read():
    assert of_yaml("a: &a {x: 1}\nb: {<<: *a, y: [1, 2]}") == {"a": {"x": 1}, "b": {"x": 1, "y": [1, 2]}}
    assert of_yaml("") is None


DEEP = "[" * LEVELS + "1" + "]" * LEVELS
HOSTILE_JSON = ["[" * 100_000, '{"a":' * 60 + "1" + "}" * 60, f"[{DEEP}]", '"\\ud800"', "1" * 5000, "{"]


@pytest.mark.parametrize("text", HOSTILE_JSON, ids=range(len(HOSTILE_JSON)))
def test_hostile_json_is_refused(text):
    with pytest.raises(ValueError, match=r"\S"):
        of_json(text)


def test_sound_json_is_read():
    assert str(of_json(DEEP)) == DEEP
    assert of_json(b'{"a": ["\\ud83e\\udde0"]}') == {"a": ["🧠"]}


def test_values_that_another_program_has_parsed_are_counted_with_their_aliases():
    value: list = ["x"]
    for _ in range(9):
        value = [value] * 9
    with pytest.raises(ValueError, match="more than 100000 values"):
        check_extent({"a": value})
    value.append(value)
    with pytest.raises(ValueError, match="50 deep"):
        check_extent(value)
