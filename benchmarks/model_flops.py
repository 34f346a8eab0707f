"""What a network's training step computes at the least, by the convention of published figures."""


def transformer(weights: int, tokens: int, depth: int, width: int, length: int) -> float:
    """Six operations for a weight and token, and the products of attention.

    Recomputation does not count, and attention is not halved where it is causal: nanoGPT's
    convention, 8.55e8 operations a token for GPT-2 124M at 1024 tokens.
    """
    return tokens * (6.0 * weights + 12.0 * depth * width * length)
