"""What goes over the wire, for validation and for /docs. Units, frames and orders stand in the descriptions."""
