"""How the API of Kubernetes is asked: few questions, each with a deadline and a bound on its answer."""
