"""The course as a book of static pages: lessons, guide and reference, read without a kernel, a server or a network.

`notebooks` says what of a lesson a reader sees, `widgets` and `moments` keep alive what can live in a page, `reference`
lists the modules, `sources` puts all pages into one folder, `extension` is what Sphinx needs beside its own, `checks`
looks the finished pages over, and `building` does it in order. Pages and settings stand in book/.
"""
