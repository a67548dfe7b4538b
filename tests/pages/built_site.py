"""Where the built book is."""

from notebook_rules import ROOT

SITE = ROOT / "_build" / "html"
