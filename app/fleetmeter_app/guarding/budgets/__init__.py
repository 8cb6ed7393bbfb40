"""Budgets that hold for the whole fleet: money is reserved before a call and settled after it."""
