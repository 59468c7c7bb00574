"""What every concern needs and none owns. Knows no concern and no client library."""
