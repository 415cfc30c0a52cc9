"""What a pose is made of: guesses, their refinement, and what the picture and the depth say of them."""
