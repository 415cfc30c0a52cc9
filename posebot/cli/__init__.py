"""Floor 6: the command line. Commands parse, call the floors below, and print; they are imported when they are used."""
