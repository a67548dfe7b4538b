"""What only the book and the tests use: data, test functions, figures, a corpus of gradients."""
