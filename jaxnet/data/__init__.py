"""Data for training: in order, in batches, in parts, from files and streams; on the host."""

from jaxnet.data import sets as sets
from jaxnet.data.batches import Batches as Batches
from jaxnet.data.buckets import Buckets as Buckets
from jaxnet.data.order import Order as Order
from jaxnet.data.prefetch import prefetch as prefetch
from jaxnet.data.sampling import Sampler as Sampler
from jaxnet.data.sampling import balanced as balanced
from jaxnet.data.sampling import subset as subset
from jaxnet.data.sampling import weighted as weighted
from jaxnet.data.sequences import pack as pack
from jaxnet.data.sequences import windows as windows
from jaxnet.data.split import folds as folds
from jaxnet.data.split import split as split
from jaxnet.data.stream import Stream as Stream
