"""What in a new text for models asks for a closer look: signs of tool poisoning, told without an accusation."""

SUSPICIOUS: frozenset[str] = frozenset(
    {"description_suspicious", "title_suspicious", "instructions_suspicious"}
)
"""The codes of text changes that hold such a sign; they are told as loudly as a flipped safety hint."""
