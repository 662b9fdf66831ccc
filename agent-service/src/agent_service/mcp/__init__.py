"""Servers of the Model Context Protocol: which there are, and calls of their tools."""
