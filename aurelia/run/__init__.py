"""Run questions: the Python interface, threads and their storage, and their traces."""
