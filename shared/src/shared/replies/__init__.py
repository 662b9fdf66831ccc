"""How a reply is written, whoever writes it: asking the model, waiting for it, fitting its window, ending
early, late costs.
"""
