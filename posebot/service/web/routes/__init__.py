"""The addresses, one file for each kind of thing. They check, call and answer; nothing is computed here."""
