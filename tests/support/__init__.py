"""Drives the real services from outside: a second implementation of the wire that shares no code with them."""
