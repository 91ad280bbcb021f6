"""What the product costs, measured whole: `make bench`. Figures are printed, nothing passes or fails."""
