"""The class report: figures with intervals, pictures, a page, tables."""
