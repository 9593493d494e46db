"""Config files mean what they say, or are refused by file, line and key with the right spelling."""

import pytest

from tests.commands import ROOT
from uadbench.core.errors import HarnessError
from uadbench.study.checks import experiment
from uadbench.study.config_files import located, overridden, read

DEFAULT = ROOT / "config.yaml"
SPELLINGS = [
    ("seeds: [1]\nmethods: [dae]\nseeds: [2]", r"line 3: seeds: stands twice, first in line 1; keep one"),
    ("params:\n  dae: {steps: 5, batch: 8, steps: 50}", r"line 2: params\.dae\.steps: stands twice"),
    ('seeds: [1]\n"seeds": [2]', r"line 2: seeds: stands twice"),
    ("tasks:\n- {name: A, name: B}", r"line 2: tasks\.0\.name: stands twice"),
    ('{"seeds": [1], "seeds": [2]}', r"the key seeds stands twice"),
    ('{"max_lost": NaN}', r"NaN is no number"),
    ("seeds: [1, 010]", r'line 1: seeds\.1: YAML reads 010 as 8; write 10, or "010" in quotes'),
    ("seeds: [-07]", r"seeds\.0: YAML reads -07 as -7; write -7"),
    ("seeds: [0x10]", r"YAML reads 0x10 as 16; write 16"),
    ("seeds: [0b11]", r"YAML reads 0b11 as 3; write 3"),
    ("seeds: [!!int '010']", r"YAML reads 010 as 8; write 10"),
    ("params: {dae: {steps: 1_000}}", r"params\.dae\.steps: YAML reads 1_000 as 1000; write 1000"),
    ("params: {dae: {steps: 1:30}}", r"YAML reads 1:30 as 90; write 90"),
    ("max_lost: 0:0.5", r"YAML reads 0:0\.5 as 0\.5"),
    ("preprocessing: {spacing: 4_0.0}", r"preprocessing\.spacing: YAML reads 4_0\.0 as 40\.0"),
    ("datasets: {atlas: {exclude: [2024-01-01]}}", r'YAML reads 2024-01-01 as a date; write "2024-01-01", in quotes'),
    ("datasets: {no: {layout: atlas}}", r"datasets\.no: YAML reads this key as no text; put it in quotes"),
    ("datasets: {7: {layout: atlas}}", r"datasets\.7: YAML reads this key as no text"),
    ("datasets: {atlas: {exclude: [ab, 1.10]}}", r"line 1: datasets\.atlas\.exclude\.1: 1\.1 is no text in YAML; put"),
    ("datasets: {atlas: {exclude: [no]}}", r"False is no text in YAML; put what stands there in quotes"),
    ("\nparams: {dae: {steps: 08}}", r"line 2: params\.dae\.steps: '08' is text in YAML; write 8"),
    ("params: {dae: {steps: 0o10}}", r"'0o10' is text in YAML; write 8"),
    ("params: {dae: {steps: 1.0e+3}}", r"1000\.0 is no whole number; write 1000"),
    ("params: {disyre: {residual: 'yes'}}", r"'yes' is text in YAML; write true or false, without quotes"),
    ("chunks: '4'", r"chunks: '4' is text in YAML; write 4"),
    ("methods: dae", r"methods: 'dae' is no list; write \[dae\]"),
    ("seeds: 1, 2", r"seeds: '1, 2' is no list; write \[1, 2\]"),
    ("experiment: my study", r"experiment: 'my study' is no such name; write letters, digits, \. _ and - alone"),
    ("device: gpu", r"'gpu' is no such name; write auto, cpu, cuda"),
    ("- a", "no mapping of keys"),
    ("params:\n\tdae: 1", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "message"), SPELLINGS)
def test_what_is_not_meant_so_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(HarnessError, match=message) as caught, located(DEFAULT, path):
        experiment(read(DEFAULT, path))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_looks_odd_and_is_read_so_is_accepted(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "\ufeff.sizes: &sizes {steps: 7, batch: 4}\nx-note: 1\nseeds: [+5, 0]\nmax_lost: .5\n"
        "params: {dae: {<<: *sizes, batch: 8, learning_rate: 1.0e-04}, disyre: {residual: yes}}\n"
        "datasets: {atlas: {exclude: ['007', 08, 1e-4, 0o7]}}\n"
    )
    config = experiment(read(DEFAULT, path)).config
    assert (config.seeds, config.max_lost) == ([5, 0], 0.5)
    assert config.params["dae"] | {"steps": 7, "batch": 8, "learning_rate": 1e-4} == config.params["dae"]
    assert config.params["disyre"]["residual"] is True
    assert config.datasets["atlas"].exclude == ["007", "08", "1e-4", "0o7"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_told(tmp_path, encoding):
    (tmp_path / "mine.yaml").write_bytes("train: Köpfe".encode(encoding))
    with pytest.raises(HarnessError, match=r"mine\.yaml: not in UTF-8 .*; save it in this encoding"):
        read(tmp_path / "mine.yaml")


def test_overrides_of_the_command_line_are_read_as_a_config_is():
    """Snakemake leaves the numbers of lists and mappings as text."""
    line = ["snakemake", "--config", "seeds=[1, 2]", "params={dae: {steps: 5}}", "chunks=3"]
    given = {"seeds": ["1", "2"], "params": {"dae": {"steps": "5"}}, "chunks": 3}
    values = overridden(read(DEFAULT) | given, given, line)
    assert (values["seeds"], values["params"], values["chunks"]) == ([1, 2], {"dae": {"steps": 5}}, 3)
    for wrong, message in (("seeds=[010]", "write 10"), ("params={dae: {steps: 1, steps: 2}}", "stands twice")):
        with pytest.raises(HarnessError, match=f"--config, line 1: .*{message}"):
            overridden({}, {wrong.partition("=")[0]: []}, [wrong])
    with pytest.raises(HarnessError, match="--config: chunks is given twice"):
        overridden({}, {"chunks": 2}, ["chunks=1", "chunks=2"])
    named = pytest.raises(HarnessError, match=r"^--config params\.dae\.stepz: no such")
    with named, located(DEFAULT, overrides={"params": {"dae": {"stepz": 5}}}):
        raise HarnessError("params.dae.stepz: no such parameter")
