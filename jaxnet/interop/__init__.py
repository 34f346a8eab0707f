"""Weights in and out."""

from jaxnet.interop import safetensors as safetensors
