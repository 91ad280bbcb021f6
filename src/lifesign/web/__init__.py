"""The web face: pages rendered on the server, made livelier by two small scripts, readable without."""
