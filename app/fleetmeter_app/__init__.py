"""The LLM gateway: the reference application that runs as any number of replicas."""
