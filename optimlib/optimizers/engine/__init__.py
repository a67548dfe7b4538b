"""How a step runs: blocks of a few hundred kilobytes, and the same rule compiled."""
