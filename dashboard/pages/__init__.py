"""One module a page, each with a function `page`; `dashboard.app` lists them."""
