"""Optimizers, schedules and rules by path."""

# pyright: reportArgumentType=false

import jax.numpy as jnp

from jaxnet import optim

PARAMS = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}
SGD = optim.sgd(0.1)
RATES = ("learning_rate must be a positive number", "use freeze")
SHARE = "at least 0 and below 1"
MISTAKES = [
    *(
        (f"optim.{name}", lambda name=name: getattr(optim, name)(-1.0), *RATES)
        for name in (
            "gradient_descent", "sgd", "adam", "adamw", "adamax", "nadam", "radam", "sparse_adam",
            "adagrad", "adadelta", "rmsprop", "adafactor", "muon", "lbfgs",
        )
    ),
    *(
        (f"optim.{name}", lambda n=name: getattr(optim, n)(0.1, weight_decay=-1), "weight_decay")
        for name in ("sgd", "adam", "adamw", "adamax", "nadam", "radam", "adagrad", "adadelta",
                     "rmsprop", "asgd", "adafactor", "muon")
    ),
    ("optim.sgd", lambda: optim.sgd(0.1, dampening=0.1), "dampening", "leave it out"),
    ("optim.sgd", lambda: optim.sgd(0.1, momentum=1.0), "momentum", SHARE),
    ("optim.adam", lambda: optim.adam(0.1, preset="tf"), "preset='tf'"),
    ("optim.adamax", lambda: optim.adamax(b1=1.0), "b1", SHARE),
    ("optim.nadam", lambda: optim.nadam(momentum_decay=-1), "momentum_decay must be 0 or positive"),
    ("optim.radam", lambda: optim.radam(eps=-1), "eps must be 0 or positive"),
    ("optim.radam", lambda: optim.radam().update(PARAMS, optim.radam().init(PARAMS)), "give them"),
    ("optim.sparse_adam", lambda: optim.sparse_adam(b2=2.0), "b2", SHARE),
    ("optim.adagrad", lambda: optim.adagrad(lr_decay=-1), "lr_decay must be 0 or positive"),
    ("optim.adagrad", lambda: optim.adagrad(preset="x"), "preset='x'"),
    ("optim.adadelta", lambda: optim.adadelta(rho=1.0), "rho", SHARE),
    ("optim.rmsprop", lambda: optim.rmsprop(alpha=1.5), "alpha", SHARE),
    ("optim.rprop", lambda: optim.rprop(0.0), "learning_rate must be positive"),
    ("optim.rprop", lambda: optim.rprop(etas=(1.2, 0.5)), "etas", "(0.5, 1.2)"),
    ("optim.rprop", lambda: optim.rprop(step_sizes=(1, 0)), "step_sizes[1]", "at least 1"),
    ("optim.rprop", lambda: optim.rprop(optim.cosine(0.1, 5)), "a schedule was given", "sgd"),
    ("optim.asgd", lambda: optim.asgd(optim.cosine(0.1, 5)), "a schedule was given", "averaging"),
    ("optim.adafactor", lambda: optim.adafactor(beta2_decay=0.8), "beta2_decay", "negative"),
    ("optim.adafactor", lambda: optim.adafactor(threshold=0), "threshold must be positive"),
    ("optim.muon", lambda: optim.muon().init(PARAMS), "matrices", "float32[3]", "by_path"),
    ("optim.muon", lambda: optim.muon(adjust="adam"), "adjust='adam'"),
    ("optim.lbfgs", lambda: optim.lbfgs(history=0), "history of lbfgs", "at least 1"),
    ("optim.averaging", lambda: optim.averaging(SGD, decay=1.0), "decay", SHARE),
    ("optim.averaged", lambda: optim.averaged(SGD.init(PARAMS), PARAMS), "averaging(tx)", "0 were"),
    ("optim.lookahead", lambda: optim.lookahead(SGD, steps=0), "steps of lookahead"),
    ("optim.clip", lambda: optim.clip(SGD), "one of value, norm", "none"),
    ("optim.clip", lambda: optim.clip(SGD, norm=0.0), "norm of clip must be positive"),
    ("optim.freeze", lambda: optim.freeze(SGD), "freeze needs the paths"),
    ("optim.by_path", lambda: optim.by_path({"kernel": SGD}).init(PARAMS), "no pattern matches"),
    (
        "optim.scale_by_path",
        lambda: optim.scale_by_path(SGD, {"kernels": 1.0, "**": 1.0}).init(PARAMS),
        "'kernels' matches no path",
        "'kernel'",
    ),
    ("optim.scale_by_path", lambda: optim.scale_by_path(SGD, {"**": -1.0}), "factor", "freeze"),
    (
        "optim.constrain",
        lambda: optim.constrain(SGD, {"w": optim.unit_norm}).init(PARAMS),
        "'w' matches no path",
    ),
    ("optim.scaled", lambda: optim.scaled(0.0, jnp.sin), "rate must be positive"),
    ("optim.multiplicative", lambda: optim.multiplicative(0.0, jnp.sin), "rate must be positive"),
    ("optim.step_decay", lambda: optim.step_decay(0.1, 0), "every", "at least 1"),
    ("optim.multi_step", lambda: optim.multi_step(0.1, [3], gamma=-1), "gamma must be 0"),
    ("optim.constant", lambda: optim.constant(0.1, steps=0), "steps", "at least 1"),
    ("optim.linear", lambda: optim.linear(-0.1), "rate must be positive"),
    ("optim.exponential", lambda: optim.exponential(0.1, -1), "gamma must be 0 or positive"),
    ("optim.polynomial", lambda: optim.polynomial(0.1, steps=1.5), "steps", "int"),
    ("optim.cosine", lambda: optim.cosine(0.1, 10, minimum=0.2), "minimum", "between 0 and"),
    ("optim.cosine_restarts", lambda: optim.cosine_restarts(0.1, 10, growth=0), "growth"),
    ("optim.one_cycle", lambda: optim.one_cycle(0.1, 10, rise=1.0), "rise", "(0, 1)"),
    ("optim.one_cycle", lambda: optim.one_cycle(0.1, 10, shape="cos"), "shape='cos'", "'cosine'"),
    ("optim.cyclic", lambda: optim.cyclic(0.1, 0.2, mode="up"), "mode='up'"),
    ("optim.inverse_sqrt", lambda: optim.inverse_sqrt(0.1, 0), "warmup", "at least 1"),
    ("optim.warmup", lambda: optim.warmup(optim.cosine(0.1, 5), 0), "steps", "at least 1"),
    ("optim.sequential", lambda: optim.sequential([jnp.sin], [3]), "milestones", "1 schedules"),
    ("optim.chained", lambda: optim.chained(0.0, [jnp.sin]), "rate must be positive"),
    ("optim.plateau", lambda: optim.plateau(SGD, factor=1.0), "factor", "(0, 1)"),
    ("optim.plateau", lambda: optim.plateau(SGD, patience=-1), "patience", "at least 0"),
]  # fmt: skip
