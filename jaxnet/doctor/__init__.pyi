from jaxnet.doctor.diagnose import diagnose as diagnose
from jaxnet.doctor.environment import Environment as Environment
from jaxnet.doctor.environment import examine as examine
from jaxnet.doctor.finding import Diagnosis as Diagnosis
from jaxnet.doctor.finding import Finding as Finding
