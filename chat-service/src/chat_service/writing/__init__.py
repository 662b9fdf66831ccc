"""What writes a reply: the model alone, or an agent; from the turn's start to the transaction that
ends it.
"""
