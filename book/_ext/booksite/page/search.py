"""The words of the search box, which `static/search.js` says."""


def add_search_words(page):
    page.context["search_words"] = page.words("search")
