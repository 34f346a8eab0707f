from jaxnet.analysis.cost import cost as cost
from jaxnet.analysis.cost import flops as flops
from jaxnet.analysis.nan import Finding as Finding
from jaxnet.analysis.nan import find_nonfinite as find_nonfinite
from jaxnet.analysis.summary import summary as summary
