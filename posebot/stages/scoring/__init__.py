"""How well poses explain the evidence: one file per score, a table of them (`table.py`), and their weighted total."""
