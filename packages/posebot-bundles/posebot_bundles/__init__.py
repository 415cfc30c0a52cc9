"""Model bundles for posebot, as data: each folder beside this file is a bundle."""
