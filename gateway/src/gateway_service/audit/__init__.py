"""The record of every administrative act."""
