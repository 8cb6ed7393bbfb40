"""The names under which servers state tokens, as data: what `reading` looks for, and what each name means.

Ran or read: openai 3.57's types for chat, responses, realtime, transcription, images and batches; DeepSeek, xAI,
Groq, Gemini's endpoint for OpenAI's SDK, Anthropic, LiteLLM, OpenRouter, Moonshot, langchain-core's `UsageMetadata`.
"""

PAIRS = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))
"""The two sides of a call: chat completions and embeddings; everything newer, and Anthropic."""
TOTAL = "total_tokens"

INPUT_DETAILS = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details", "output_token_details")
"""Tables inside a usage with the parts of a side."""

INPUT_PARTS = {
    "cached_tokens": "cached",
    "cache_read": "cached",
    "cache_write_tokens": "cache_write",
    "cache_creation_tokens": "cache_write",
    "cache_creation": "cache_write",
    "audio_tokens": "audio_in",
    "audio": "audio_in",
    "image_tokens": "image_in",
}
OUTPUT_PARTS = {
    "reasoning_tokens": "reasoning",
    "reasoning": "reasoning",
    "audio_tokens": "audio_out",
    "audio": "audio_out",
    "image_tokens": "image_out",
}
"""The parts of a side by the names that its details have for them."""
KIND_NAMES = frozenset({"text_tokens", "audio_tokens", "image_tokens", "audio"})
"""Who states one of these, states of what kind the tokens of that side are."""
NO_PARTS = frozenset({"text_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens"})
"""Names of details that need no part of their own; predictions, accepted or not, are completion tokens like others."""

CACHED_INSIDE = frozenset({"prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"})
"""Beside the sides, and parts of the prompt: DeepSeek, Moonshot, Mistral."""
READ_BESIDE, WRITTEN_BESIDE = "cache_read_input_tokens", "cache_creation_input_tokens"
"""Beside the sides: Anthropic's are on top of `input_tokens`, LiteLLM's are parts of `prompt_tokens`."""
REASONING_BESIDE = "reasoning_tokens"

WRITE_DURATIONS = (
    ("cache_write_tokens_details", {"ttl_30m_tokens": None, "ttl_12h_tokens": "cache_write_12h"}),
    ("cache_creation", {"ephemeral_5m_input_tokens": None, "ephemeral_1h_input_tokens": "cache_write_1h"}),
    (
        "cache_creation_token_details",
        {"ephemeral_5m_input_tokens": None, "ephemeral_1h_input_tokens": "cache_write_1h"},
    ),
)
"""Tables of cache writes by how long they are kept; None is the duration of the plain rate."""
CACHED_KINDS = "cached_tokens_details"
"""The realtime API's table of cached tokens by kind."""

CACHED_KIND_NAMES = {"text_tokens": None, "audio_tokens": "cached_audio", "image_tokens": "cached_image"}

KNOWN_BESIDE = frozenset(
    {
        *(name for pair in PAIRS for name in pair),
        *CACHED_INSIDE,
        *(READ_BESIDE, WRITTEN_BESIDE, REASONING_BESIDE, TOTAL, "prompt_cache_miss_tokens"),
    }
)
"""Names beside the sides that are understood. Any other number of tokens is of a kind that has no price here."""
