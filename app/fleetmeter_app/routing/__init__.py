"""Which model answers: intents, tiers, chains."""
