from jaxnet.interop import safetensors as safetensors
