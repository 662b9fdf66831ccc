"""Agents: instructions, a model, tools and knowledge under a name."""
