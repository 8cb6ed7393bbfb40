"""Watching a fleet: what views of it, such as `top` and the board, show of it; how it looks is theirs."""
