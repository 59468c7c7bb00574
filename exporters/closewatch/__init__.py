"""closewatch keeps a close watch on the systems that carry a company's books."""

__version__ = "0.1.0"
