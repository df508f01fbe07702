"""The door: `quiltwork` on the command line. Thin: rooms do the work, and load when they are called."""
