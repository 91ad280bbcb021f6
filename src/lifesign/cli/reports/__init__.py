"""What came of `lifesign probe`, for a terminal, for programs and for the systems that run checks."""
