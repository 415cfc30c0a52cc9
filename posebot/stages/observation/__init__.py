"""Evidence about one object in an image and its crops: masks, coordinates, colours, depth, texture landmarks, up."""
