"""Who is calling and what they may do: permissions, principals, the tokens every service verifies by itself,
guards of routes.
"""
