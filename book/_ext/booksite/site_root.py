"""The root document is written to `index.html` at the top of the site, whatever it is called and wherever it lies."""

from sphinx.builders.html import StandaloneHTMLBuilder


class SiteRootBuilder(StandaloneHTMLBuilder):
    def page_at(self, pagename):
        return "index" if pagename == self.config.root_doc else pagename

    def get_target_uri(self, docname, typ=None):
        return super().get_target_uri(self.page_at(docname), typ)

    def get_outfilename(self, pagename):
        return super().get_outfilename(self.page_at(pagename))


def setup(app):
    app.add_builder(SiteRootBuilder, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
