"""The comparison of deformconv with other implementations of the operator; `peers.py` is its front door."""
