"""What only the book and the tests use: data, test functions, figures, a corpus of gradients.

Nothing is imported here, since `optimlib.lab.figures` needs Matplotlib.
"""
