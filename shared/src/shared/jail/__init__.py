"""The one jail of processes that touch what strangers wrote: the code sandbox and the parser. Linux only.

Nothing here imports anything else of `shared`: what is loaded in a confined process is kept small.
"""
