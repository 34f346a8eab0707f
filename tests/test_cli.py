"""The command line as a user and as a script meet it."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from jaxnet import cli

PROGRAM = """
import jax.numpy as jnp, numpy as np
import jaxnet as jn
from jaxnet import nn

net = nn.Sequential(nn.Linear(8), nn.tanh, nn.Linear(1))

def loss_fn(params, batch, key):
    x, y = batch
    return jn.losses.mean_squared_error(net(params, x, key=key), y)

def experiment(lr=0.1, epochs=2, name="adam", seed=0):
    x = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    tx = getattr(jn.optim, name)(lr)
    return jn.train.Experiment(
        model=net, loss_fn=loss_fn, data=(x, x[:, :1]), tx=tx, validation_data=(x, x[:, :1]),
        seed=seed, options={"epochs": epochs, "ema": 0.9},
    )

def broken():
    return 1
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def run(capsys, *arguments):
    code = cli.main(arguments)
    return code, *capsys.readouterr()


def last_line(out):
    return json.loads(out.splitlines()[-1])


def test_train_then_eval_then_predict(program, capsys):
    code, out, _ = run(capsys, "train", "program.py", "lr=0.05", "--folder", "run")
    result = last_line(out)
    assert code == 0 and result["step"] == 4 and result["val_loss"] < 2
    code, out, _ = run(capsys, "eval", "program.py", "--folder", "run")
    evaluated = last_line(out)
    assert code == 0 and evaluated["data"] == "validation"
    assert evaluated["loss"] == pytest.approx(result["val_loss"], rel=1e-5)
    np.save("x.npy", np.ones((5, 3), np.float32))
    arguments = "--folder", "run", "--inputs", "x.npy", "--outputs", "y.npy"
    code, out, _ = run(capsys, "predict", "program.py", *arguments)
    assert code == 0 and np.load("y.npy").shape == (5, 1)
    assert last_line(out) == {"outputs": "y.npy", "shape": [5, 1]}


def test_train_goes_on_with_the_config_of_the_folder(program, capsys):
    run(capsys, "train", "program.py", "lr=0.05", "--folder", "run")
    code, out, err = run(capsys, "train", "program.py", "--folder", "run")
    assert code == 0 and "goes on from step 4" in err and len(out.splitlines()) == 1
    code, _, err = run(capsys, "train", "program.py", "lr=0.5", "--folder", "run")
    assert code == 1 and "lr: was 0.05, is 0.5" in err


def test_summary_and_module_targets(program, capsys):
    code, out, _ = run(capsys, "summary", "program:experiment")
    assert code == 0 and "41 parameters" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["summary", "missing.py"], "there is no file missing.py"),
        (["summary", "program.py:experimnt"], "no function 'experimnt'.*did you mean 'experiment'"),
        (["summary", "program.py:broken"], "returned 1, but a jn.train.Experiment is needed"),
        (["summary", "program.py", "rate=1"], "takes no 'rate=1'; did you mean"),
        (["summary", "program.py", "lr"], "takes no 'lr'; write it as name=value"),
        (["summary", "program.py", "lr=fast"], "lr=fast is 'fast', but lr is a float"),
        (["summary", "program.py", "epochs=1.5"], "epochs=1.5 is 1.5, but epochs is a int"),
        (["summary", "no_such_module"], "No module named 'no_such_module'"),
        (["eval", "program.py", "--folder", "nowhere"], "nowhere"),
    ],
)
def test_mistakes(program, capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert code == 1 and not out and re.search(message, err) and err.startswith("error: ")


def test_a_command_that_cannot_be_understood_is_code_2(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["trian"])
    assert caught.value.code == 2 and "invalid choice: 'trian'" in capsys.readouterr().err


def test_the_installed_command():
    command = [sys.executable, "-m", "jaxnet.cli", "--version"]
    assert re.fullmatch(r"jaxnet \d+\.\d+\.\d+\n", subprocess.check_output(command, text=True))
