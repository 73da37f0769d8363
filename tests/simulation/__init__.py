"""Whole engines with seeded faults and time."""
