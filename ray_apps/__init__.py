"""Floor 7: thin entry points for `ray job submit`."""
