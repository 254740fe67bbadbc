"""The course as a site: JupyterLab and Python run in the reader's browser, and nothing is installed.

    make site            # or python -m autograder site

JupyterLite is the JupyterLab, Pyodide the Python. `build` puts the site together; `python` says what Python finds
there: Pyodide's core and pure packages from the site itself, compiled ones from Pyodide's usual address. `wheels` packs
what the course adds, `formulas` draws its formulas beforehand. `drawn_formulas` runs in the browser only.
"""


class SiteError(Exception):
    """The site cannot be built; the message says what to do."""
