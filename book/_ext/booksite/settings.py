"""All settings of the site's machinery: `booksite` under `sphinx.config` in `_config.yml`, checked when it is read."""

from dataclasses import dataclass, field, fields


@dataclass(frozen=True)
class Edition:
    """One language: `tag` for HTML, `locale` for gettext catalogues, `home` its first page."""

    key: str
    tag: str
    locale: str
    name: str
    title: str
    description: str
    home: str


@dataclass(frozen=True)
class Settings:
    """What `_config.yml` says; an empty value switches its part of the machinery off."""

    editions: tuple
    # the edition in whose language shared pages speak
    default_edition: str
    # files that every chapter depends on, and the environment of its kernel
    execution: dict
    # of Open Graph: `path` in the site, and `alt`
    picture: dict
    # `page` to write, `data` to read, and the `demo` beside the map
    concept_map: dict = field(default_factory=dict)
    # name of a service → pattern of an address
    launch: dict = field(default_factory=dict)
    # `sources`, the `module` that reads them, and the `package` that a notebook installs
    homework: dict = field(default_factory=dict)
    # `host` of giscus and what it asks for, in its own words
    comments: dict = field(default_factory=dict)
    # the `module` of the demos, the `folder` of their pages, `height` of a frame in pixels, `heights` of some
    embeds: dict = field(default_factory=dict)
    # the script that mounts widgets, in the source folder
    mount_script: str = ""
    # name of the ZIP with the whole site
    archive: str = ""

    @classmethod
    def read(cls, raw):
        known = {each.name for each in fields(cls)}
        if unknown := sorted(raw.keys() - known):
            raise ValueError(
                f"booksite in _config.yml must have keys out of {', '.join(sorted(known))}, got {unknown[0]!r}"
            )
        editions = tuple(Edition(key, **values) for key, values in raw["editions"].items())
        return cls(**{name: value or {} for name, value in raw.items()} | {"editions": editions})

    def edition(self, key):
        return next(edition for edition in self.editions if edition.key == key)

    def edition_of(self, pagename):
        """The edition that a page belongs to (`book/zh/npo` to zh), or None for a page that all share."""
        folders = pagename.split("/")[:-1]
        return next((edition for edition in self.editions if edition.key in folders), None)

    def language_of(self, pagename):
        """The edition whose language a page speaks: its own, or for a shared page the default one."""
        return self.edition_of(pagename) or self.edition(self.default_edition)

    def twin(self, pagename, edition):
        """The name that a page has in another edition."""
        own = self.edition_of(pagename)
        return "/".join(edition.key if part == own.key else part for part in pagename.split("/"))
