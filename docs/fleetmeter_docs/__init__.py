"""Builds `docs/reference` from the code, and the site from `docs/`.

Reading in this order helps: `families`, `settings`, `commands` and `interface` each make a page of the reference;
`links` says what a link in a Markdown file leads to; `site` tells mkdocs of files outside `docs/`.
"""
