"""What an image and its crops say about one object: masks, coordinates, colours, depth, texture landmarks, upright."""
