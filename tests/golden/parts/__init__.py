"""The parts of jaxnet beside what they must equal, one module a room; run by make_parts.py."""
