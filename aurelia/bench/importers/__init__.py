"""Imports annotation files of data sets as benchmark records."""
