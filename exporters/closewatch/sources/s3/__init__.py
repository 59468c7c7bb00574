"""How a bucket of S3, or of what speaks its language, is listed and read."""
