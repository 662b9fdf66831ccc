"""Holds, settlements and the queue of what billing could not take yet."""
