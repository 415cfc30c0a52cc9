"""Ray Serve deployments: the API replica, and the network and solver replicas of the distributed profile."""
