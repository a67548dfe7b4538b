"""Grade the book's assignments: what a student wrote runs in a sandbox, and is judged from outside it."""
