"""What `lifesign doctor` looks at."""
