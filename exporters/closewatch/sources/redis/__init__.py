"""How Redis and Valkey are asked: by redis-py, with a deadline and a bound on the whole exchange."""
