"""The endpoints, one module per resource. They validate, call and answer; nothing is computed here."""
