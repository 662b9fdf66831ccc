"""Runs: the loop of model steps and tool calls as a durable workflow, its events, and whoever follows, stops
or approves.
"""
