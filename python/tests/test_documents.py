"""The examples of the documents."""

import re

import pytest
from conftest import ROOT

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    pytest.param(code, id=f"{page}-{index}")
    for page in ("docs/python.md", "python/README.md")
    for index, code in enumerate(BLOCK.findall((ROOT / page).read_text()))
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_runs(code, servers, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(code.replace("http://localhost:8080", servers("faces")), {})
    assert capsys.readouterr().out
