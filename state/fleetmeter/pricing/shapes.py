"""The names under which servers state tokens, and what each name means. `reading` looks for these.

They come from running or reading: openai 3.57's types for chat, responses, realtime, transcription, images and
batches; DeepSeek, xAI, Groq, Gemini's endpoint for OpenAI's SDK, Anthropic, LiteLLM, OpenRouter, Moonshot, and
langchain-core's `UsageMetadata`.
"""

PAIRS = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))
"""The two sides of a call: first as chat completions and embeddings name them, then as newer APIs and Anthropic do."""
TOTAL = "total_tokens"

INPUT_DETAILS = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details", "output_token_details")
"""Tables inside a usage that hold the parts of a side."""

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
"""The parts of a side, by their names in its table of details."""
KIND_NAMES = frozenset({"text_tokens", "audio_tokens", "image_tokens", "audio"})
"""If the details have one of these, the usage states how many tokens of that side are text, audio and images."""
NO_PARTS = frozenset({"text_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens"})
"""Names in details that are no parts here. Predictions, accepted or not, are completion tokens like others."""

CACHED_INSIDE = frozenset({"prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"})
"""Cached tokens outside the details, which are a part of the prompt: DeepSeek, Moonshot, Mistral."""
READ_BESIDE, WRITTEN_BESIDE = "cache_read_input_tokens", "cache_creation_input_tokens"
"""Cache tokens outside the details. Anthropic's come on top of `input_tokens`; `prompt_tokens` contains LiteLLM's."""
REASONING_BESIDE = "reasoning_tokens"

WRITE_DURATIONS = (
    ("cache_write_tokens_details", {"ttl_30m_tokens": None, "ttl_12h_tokens": "cache_write_12h"}),
    ("cache_creation", {"ephemeral_5m_input_tokens": None, "ephemeral_1h_input_tokens": "cache_write_1h"}),
    (
        "cache_creation_token_details",
        {"ephemeral_5m_input_tokens": None, "ephemeral_1h_input_tokens": "cache_write_1h"},
    ),
)
"""Tables of cache writes by how long they are kept; None means the duration with the plain rate."""
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
"""Names outside the details that are understood. Any other number of tokens is of a kind that has no price here."""
