"""The tools, one file each; a new file with a function under `@tool` is a new tool."""
