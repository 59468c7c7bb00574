"""One way to ask each kind of thing, with deadlines. Sources know no concern."""
