"""What guards the models: API keys, rate limits, budgets and circuit breakers, shared by all replicas."""
