"""Error rates of every automatic verdict, by simulation, as tables that the documents include."""
