"""Is this gradient right, and if not, where and why? A verdict, with its evidence."""
