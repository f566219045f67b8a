"""Script of mkdocs-gen-files: adds the generated pages to the site."""

import mkdocs_gen_files

from tools.docs.pages import PAGES

if __name__ == "<run_path>":  # the name that mkdocs-gen-files gives to its scripts
    for path, page in PAGES.items():
        with mkdocs_gen_files.open(path, "w") as file:
            file.write(page())
