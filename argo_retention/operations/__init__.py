"""Use cases over the ports. They receive the ports as arguments and import no client library."""
