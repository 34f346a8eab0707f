"""Why does it not learn? ``print(jn.doctor.diagnose(model, loss_fn, (x, y), tx=tx))`` answers."""

from jaxnet.core.lazy import lazy

lazy(__name__)
