"""Counting and pricing every call of the openai SDK, whoever makes it."""
