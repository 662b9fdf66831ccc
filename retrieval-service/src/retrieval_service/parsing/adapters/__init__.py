"""Readers, one per format. They run in the parsing process only; the service never imports them."""
