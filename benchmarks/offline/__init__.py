"""Benchmarks of the offline agents on rendered clips with known content: questions, captions, guidance."""
