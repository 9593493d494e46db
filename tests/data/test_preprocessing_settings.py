"""Settings of preprocessing: what is wrong is named, protocols set them all at once."""

import pytest

from uadbench.core.errors import HarnessError
from uadbench.data.preprocessing.settings import Preprocessing, parse, settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"spacin": 1}', r"spacin.*spacing"),
        ('{"spacing": "1"}', "spacing"),
        ('{"spacing": 0.01}', "spacing"),
        ('{"normalisation": "p50"}', r"p98.*max.*p99_5_brain"),
        ('{"brain": "bet"}', "brain"),
        ('{"side": 8}', "side"),
        ('{"labels": "all"}', r"labels.*classes.*above_0\.4"),
        ('{"protocol": "mood"}', r"mood.*disyre, upd"),
        ("[1]", "mapping"),
        ("{", "JSON"),
    ],
)
def test_settings_name_what_is_wrong(text, message):
    with pytest.raises(HarnessError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_settings_take_whole_numbers():
    assert parse('{"spacing": 2}') == Preprocessing(spacing=2.0)


def test_a_protocol_sets_all_and_settings_beside_it_override():
    assert settings({}) == settings({"protocol": "disyre"}) == Preprocessing(edges="shared")
    assert settings({"protocol": "upd"}) == Preprocessing(
        side=128, normalisation="max", labels="above_0.4", edges="twice"
    )
    assert settings({"protocol": "upd", "spacing": 2, "brain": "robex"}).spacing == 2.0
