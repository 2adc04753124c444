"""Two implementations of one meaning are compared; disagreements are named and explained."""
