"""All settings of the site's machinery: `booksite` under `sphinx.config` in `_config.yml`, checked when it is read."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

# what the machinery says by itself, in the language of each locale
WORDS = yaml.safe_load(Path(__file__).with_name("words.yml").read_text("utf-8"))


@dataclass(frozen=True)
class Edition:
    """One language: `tag` for HTML, `locale` for gettext catalogues, `home` its first page."""

    key: str
    tag: str
    locale: str
    name: str
    title: str
    author: str
    description: str
    home: str

    def words(self, part):
        """What a part of the machinery says in this language."""
        return WORDS[self.locale][part]


@dataclass(frozen=True)
class Settings:
    """What `_config.yml` says; an empty value switches its part of the machinery off."""

    editions: tuple
    default_edition: str  # the edition in whose language shared pages speak
    execution: dict  # files that every chapter depends on, and the environment of its kernel
    picture: dict  # of Open Graph: `path` in the site, and `alt`
    base: str = ""  # the published address of the site: `baseurl`
    concept_map: dict = field(default_factory=dict)  # `page` to write, `data` to read
    install: list = field(default_factory=list)  # what a notebook installs where the package is missing, in this order
    launch: dict = field(default_factory=dict)  # name of a service → its `icon`, pattern of an `address`, its own `ids`
    homework: dict = field(default_factory=dict)  # `sources`, the `module` that reads them, what to `install`
    comments: dict = field(default_factory=dict)  # `host` of giscus and what it asks for, in its own words
    contact: str = ""  # an address besides GitHub, for errors and comments
    embeds: dict = field(default_factory=dict)  # `module` of the demos, `folder` of their pages, `height` and `heights`
    mount_script: str = ""  # the script that mounts widgets, in the source folder
    archive: str = ""  # name of the ZIP with the whole site

    @classmethod
    def read(cls, raw):
        editions = tuple(Edition(key, **values) for key, values in raw["editions"].items())
        return cls(**{name: value or {} for name, value in raw.items()} | {"editions": editions})

    def edition_of(self, pagename):
        """The edition that a page belongs to (`book/zh/npo` to zh), or None for a page that all share."""
        return next((edition for edition in self.editions if edition.key in pagename.split("/")[:-1]), None)

    def language_of(self, pagename):
        """The edition whose language a page speaks: its own, or for a shared page the default one."""
        return self.edition_of(pagename) or self.edition_of(f"{self.default_edition}/")
