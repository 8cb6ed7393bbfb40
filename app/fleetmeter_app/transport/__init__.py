"""How an upstream is called: connections, deployments, attempts, and what each way to fail means."""
