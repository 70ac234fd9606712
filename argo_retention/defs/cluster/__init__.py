"""The cluster itself: its live workflows, pods and the snapshot."""
