"""Log objects and archive rows: one streaming step."""
