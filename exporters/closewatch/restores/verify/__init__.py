"""What is looked at in what came back: each module gives findings as data, or raises Failed with the reason."""
