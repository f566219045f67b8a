"""Reference pages of the site, written from the code while MkDocs builds."""
