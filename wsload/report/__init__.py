"""Renders summaries: tables first, then any markup of them. Computes nothing."""
