"""The command line: ``jaxnet train|eval|predict|summary|diagnose file.py`` and ``jaxnet doctor``.

A target is a Python file or module with a function ``experiment`` that makes a
``jn.train.Experiment``; ``lr=0.01`` gives its argument ``lr`` another value than the default.
Exit codes: 0 for success, 1 for an error or a fault that was found, 2 for a command that cannot be
understood, 130 after Ctrl-C.
"""

import argparse
import ast
import contextlib
import importlib
import inspect
import io
import json
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import jaxnet as jn
from jaxnet.core.errors import describe, near
from jaxnet.core.tensors import write_atomically


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code, and prints what is for people to standard error."""
    options = _parser().parse_args(arguments)
    try:
        jn.train.compile_cache()
        return options.command(options)
    except (ValueError, ImportError, OSError) as error:
        if options.traceback:
            raise
        print(f"error: {error}", *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def train(options: argparse.Namespace) -> int:
    """Train in a folder, from which the same command goes on if it was stopped."""
    experiment, config = _experiment(options)
    with contextlib.redirect_stdout(sys.stderr):
        state, history = experiment.fit(folder=options.folder, config=config)
    last = {name: values[-1] for name, values in history.items()}
    return _say({"folder": str(options.folder), "step": int(state.step)} | last)


def evaluate(options: argparse.Namespace) -> int:
    """Print loss and metrics on the validation data, or without such on the training data."""
    experiment, _ = _experiment(options)
    held_out = experiment.validation_data is not None
    data = experiment.validation_data if held_out else experiment.data
    params, precision = jn.train.trained(options.folder), experiment.options.get("precision")
    means = jn.train.evaluate(experiment.loss_fn, params, data, precision=precision)
    return _say({"data": "validation" if held_out else "training"} | means)


def predict(options: argparse.Namespace) -> int:
    """Write the model's outputs for the rows of one .npy file to another."""
    experiment, _ = _experiment(options)
    inputs = np.load(options.inputs, allow_pickle=False)
    outputs = jn.train.predict(experiment.model, jn.train.trained(options.folder), inputs)
    file = io.BytesIO()
    np.save(file, np.asarray(outputs), allow_pickle=False)
    write_atomically(options.outputs, file.getvalue())
    return _say({"outputs": str(options.outputs), "shape": list(outputs.shape)})


def summary(options: argparse.Namespace) -> int:
    """Print the layers, their shapes and parameters."""
    experiment, _ = _experiment(options)
    print(jn.analysis.summary(experiment.model, experiment.inputs))
    return 0


def diagnose(options: argparse.Namespace) -> int:
    """Say what keeps a training from learning, if anything; the exit code is then 1."""
    experiment, _ = _experiment(options)
    diagnosis = jn.doctor.diagnose(
        experiment.model,
        experiment.loss_fn,
        experiment.data,
        tx=experiment.tx,
        validation_data=experiment.validation_data,
        batch_size=experiment.options.get("batch_size", 32),
        shuffle=experiment.options.get("shuffle", True),
    )
    print(diagnosis)
    return int(bool(diagnosis.faults))


def doctor(options: argparse.Namespace) -> int:
    """Say what is wrong with this machine's installation, if anything; the exit code is then 1."""
    report = jn.doctor.examine()
    print(report)
    return int(bool(report.problems))


def _say(result: dict[str, Any]) -> int:
    """One line of JSON, for programs, to standard output."""
    print(json.dumps(result))
    return 0


def _parser() -> argparse.ArgumentParser:
    about = (__doc__ or "").partition("\n\n")[2]
    parser = argparse.ArgumentParser(prog="jaxnet", description=about)
    parser.add_argument("--version", action="version", version=f"jaxnet {jn.__version__}")
    parser.add_argument("--traceback", action="store_true", help="show where an error arose")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (train, evaluate, predict, summary, diagnose, doctor):
        name = "eval" if command is evaluate else command.__name__
        own = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        own.set_defaults(command=command)
        if command is doctor:
            continue
        own.add_argument("target", help="file.py or package.module, with :name of the function")
        own.add_argument("overrides", nargs="*", metavar="name=value", help="arguments of it")
        if command in (train, evaluate, predict):
            own.add_argument("--folder", type=Path, required=True, help="the folder of the run")
        if command is predict:
            own.add_argument("--inputs", type=Path, required=True, help=".npy, an example a row")
            own.add_argument("--outputs", type=Path, required=True, help=".npy to write")
    return parser


def _experiment(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The experiment of a target, made with its defaults, the folder's config and the overrides."""
    make = _function(options.target)
    config = {
        name: parameter.default for name, parameter in inspect.signature(make).parameters.items()
    }
    if getattr(options, "folder", None) and options.folder.exists():
        config |= jn.train.recorded_config(options.folder)
    for override in options.overrides:
        name, equals, text = override.partition("=")
        if not equals or name not in config:
            fix = near(name, config) if equals else "write it as name=value"
            raise ValueError(f"{options.target} takes no {override!r}; {fix}")
        config[name] = _value(name, text, config[name])
    experiment = make(**config)
    if not isinstance(experiment, jn.train.Experiment):
        raise ValueError(
            f"{options.target} returned {describe(experiment)}, but a jn.train.Experiment is needed"
        )
    return experiment, config


def _function(target: str) -> Callable[..., Any]:
    place, _, name = target.partition(":")
    name = name or "experiment"
    if place.endswith(".py"):
        if not Path(place).is_file():
            raise ValueError(f"there is no file {place}")
        sys.path.insert(0, str(Path(place).resolve().parent))
        names = runpy.run_path(place)
    else:
        sys.path.insert(0, "")
        names = vars(importlib.import_module(place))
    if not callable(names.get(name)):
        raise ValueError(
            f"{place} has no function {name!r} that makes a jn.train.Experiment; "
            f"{near(name, [n for n, x in names.items() if callable(x)])}"
        )
    return names[name]


def _value(name: str, text: str, default: Any) -> Any:
    """A value from the command line, of the kind that the default is of."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if isinstance(default, str):
        return text
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if default is not None and type(value) is not type(default):
        raise ValueError(
            f"{name}={text} is {describe(value)}, but {name} is a {type(default).__name__}, "
            f"as the default {default!r}"
        )
    return value


if __name__ == "__main__":
    sys.exit(main())
