"""What the tests that cross services share: the running stack, people, event streams, the ledger's
own words.
"""
