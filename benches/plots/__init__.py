"""The pictures and the table of docs/performance.md, from a measurement; `plot.py` is their front door."""
