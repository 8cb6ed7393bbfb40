"""A fault drill: the demo's system, real faults, and whether each alert reaches a webhook and resolves."""
