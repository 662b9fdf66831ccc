"""Knowledge bases: named sets of files, private or open to the organisation."""
