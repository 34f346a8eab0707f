"""Shapes."""
# pyright: reportArgumentType=false

from catalogue.inputs import IMAGE, SEQUENCE, VECTOR, normal
from jaxnet import nn

LAYERS = [
    ("flatten", nn.Flatten(), IMAGE),
    ("flatten-2", nn.Flatten(2), SEQUENCE),
    ("unflatten", nn.Unflatten((2, -1)), SEQUENCE),
    ("pixel-shuffle", nn.PixelShuffle((2,)), SEQUENCE),
    ("pixel-unshuffle", nn.PixelUnshuffle(2), normal(2, 4, 6, 2)),
    ("channel-shuffle", nn.ChannelShuffle(2), SEQUENCE),
]
MISTAKES = [
    ("nn.Flatten", lambda: nn.Flatten(0), "axes of Flatten", "at least 1"),
    ("nn.Flatten", lambda: nn.Flatten()({}, VECTOR), "input of Flatten(3)", "float32[2,4]"),
    ("nn.Unflatten", lambda: nn.Unflatten((-1, -1)), "shape of Unflatten", "one may be -1"),
    ("nn.Unflatten", lambda: nn.Unflatten(4), "shape of Unflatten", "tuple", "4"),
    ("nn.Unflatten", lambda: nn.Unflatten((3, -1))({}, VECTOR), "(3, -1)", "[2,4]", "Flatten"),
    ("nn.Unflatten", lambda: nn.Unflatten((2,))({}, VECTOR), "(2,)", "float32[2,4]"),
    ("nn.space_to_depth", lambda: nn.space_to_depth(IMAGE, 2), "block (2, 2)", "(5, 6)", "nn.pad"),
    ("nn.space_to_depth", lambda: nn.space_to_depth(VECTOR, 2), "input of space_to_depth", "[2,4]"),
    ("nn.space_to_depth", lambda: nn.space_to_depth(IMAGE, 0), "block of space_to_depth", "0"),
    ("nn.depth_to_space", lambda: nn.depth_to_space(IMAGE, 2), "multiple of 4", "channels-last"),
    ("nn.depth_to_space", lambda: nn.depth_to_space(IMAGE, 1, order="crd"), "order='crd'", "CRD"),
    ("nn.depth_to_space", lambda: nn.depth_to_space(VECTOR, 2), "depth_to_space", "float32[2,4]"),
    ("nn.pixel_shuffle", lambda: nn.pixel_shuffle(IMAGE, 3), "multiple of 9", "channels-last"),
    ("nn.pixel_unshuffle", lambda: nn.pixel_unshuffle(IMAGE, 4), "block (4, 4)", "(5, 6)"),
    ("nn.PixelShuffle", lambda: nn.PixelShuffle(0), "factor of PixelShuffle", "0"),
    ("nn.PixelUnshuffle", lambda: nn.PixelUnshuffle(2.0), "factor of PixelUnshuffle", "2.0"),
    ("nn.channel_shuffle", lambda: nn.channel_shuffle(VECTOR, 3), "groups=3", "float32[2,4]"),
    ("nn.channel_shuffle", lambda: nn.channel_shuffle(VECTOR, 0), "groups of", "at least 1"),
    ("nn.ChannelShuffle", lambda: nn.ChannelShuffle(-1), "groups of ChannelShuffle", "at least 1"),
]
