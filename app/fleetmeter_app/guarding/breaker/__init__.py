"""Circuit breakers that all replicas share: a deployment that fails is left alone for a while."""
