"""The answers that all replicas share: kept in the store, and made once for everybody who asks at the same time."""
