"""The command line. Commands parse, call the layers below, and print; they are imported when they are used."""
