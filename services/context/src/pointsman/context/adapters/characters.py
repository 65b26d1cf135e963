"""The length of a text in tokens, estimated from its characters."""

from typing import Final

CHARACTERS_PER_TOKEN: Final = 4


class CharacterTokens:
    """Implements `ports.Tokens` without a tokenizer: 4 characters a token, rounded up.

    An approximation for English with the vocabularies of common language models; Chinese or source
    code has more tokens than it says.
    """

    def count(self, text: str) -> int:
        return -(-len(text) // CHARACTERS_PER_TOKEN)
