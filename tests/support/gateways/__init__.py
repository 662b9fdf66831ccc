"""Running gateways for tests: whole ones with people in them, and the proxy alone in front of a recorded
upstream.
"""
