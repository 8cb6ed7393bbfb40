"""OpenAI's formats, as bytes and plain values: requests, answers, server-sent events, errors. Nothing here does I/O."""
