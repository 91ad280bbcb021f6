"""REST, events, metrics and pings: the faces for programs."""
