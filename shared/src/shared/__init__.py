"""The library every Atrium service imports. It holds what two services need and never a service's own
business.
"""
