"""Grade the book's assignments: students' code runs in a sandbox, and is judged from outside of it."""
