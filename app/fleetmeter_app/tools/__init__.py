"""Tools that a model may ask for while it answers `/ask`: registry, bounded runs, agent loop, and two on prices."""
