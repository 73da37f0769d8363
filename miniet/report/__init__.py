"""Showing: runs, captures and predictions as text, JSON, plots and one HTML file.

Nothing here measures: a report is made from records, so it is tested on made-up
ones. Every form shows the three witnesses side by side, and a gap as a gap.
"""
