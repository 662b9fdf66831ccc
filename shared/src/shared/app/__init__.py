"""The shell of every service: errors, request ids, traces, metrics, health and one access line, around
FastAPI and the hot routes.
"""
