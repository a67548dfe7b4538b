"""What a cell of the book needs of Jupyter, for Python inside a page.

The worker gives this file a function `say(kind, data)` before it runs it, and calls `run` for every
cell. Kinds are "stdout", "stderr", "text", "html", "png" and "error".
"""

# ruff: noqa: F821 (say)

import ast
import base64
import concurrent.futures
import io
import linecache
import sys
import time
import traceback
import types

AT_MOST = 100_000
"""So many characters a cell may print: a page with more of them freezes."""


class Stream(io.TextIOBase):
    """A file whose text goes to the page, ten times a second at most."""

    def __init__(self, kind):
        self.kind, self.parts, self.sent, self.length = kind, [], 0.0, 0

    def writable(self):
        """Say that it can be written to."""
        return True

    def write(self, text):
        """Take a text, and send it when the last one went long ago."""
        if self.length < AT_MOST:
            self.parts.append(text)
            self.length += len(text)
            if self.length >= AT_MOST:
                self.parts.append(f"\n[more than {AT_MOST} characters: the rest is left out]\n")
        if text.endswith("\n") and time.monotonic() > self.sent + 0.1:
            self.flush()
        return len(text)

    def flush(self):
        """Send what is there."""
        text = "".join(self.parts)
        self.parts, self.sent = [], time.monotonic()
        if text:
            say(self.kind, text)


class OneAfterTheOther(concurrent.futures.Executor):
    """WebAssembly has no threads here: work is done at once, one piece after the other."""

    def __init__(self, *args, **options):
        pass

    def submit(self, function, /, *args, **options):
        """Do the work, and return its result as one that is there."""
        future = concurrent.futures.Future()
        try:
            future.set_result(function(*args, **options))
        except Exception as error:
            future.set_exception(error)
        return future


class HTML:
    """What `IPython.display.HTML` shows."""

    def __init__(self, data):
        self.data = data

    def _repr_html_(self):
        return self.data


class Markdown(HTML):
    """A text that is Markdown, shown as it is."""

    _repr_html_ = None

    def __repr__(self):
        return self.data


def send(kind, data):
    """Send what is no print, after what was printed before it."""
    sys.stdout.flush()
    sys.stderr.flush()
    say(kind, data)


def display(*values, **_):
    """Show values: as HTML where they know how to, and else as text."""
    for value in values:
        as_html = getattr(value, "_repr_html_", None)
        html = as_html() if as_html else None
        if html is None:
            send("text", repr(value) + "\n")
        else:
            send("html", html)


def glue(name, value, display=True):
    """Show a value; the book also puts it into its text."""
    if display:
        names["display"](value)


def show_figures(*_, **__):
    """Send all open figures to the page, and close them."""
    for number in plt.get_fignums():
        picture = io.BytesIO()
        plt.figure(number).savefig(picture, format="png", bbox_inches="tight")
        send("png", base64.b64encode(picture.getvalue()).decode())
    plt.close("all")


def is_of_cell(frame):
    """Whether a line of a traceback is in a cell."""
    return frame.filename.startswith("<cell")


def short_traceback(error):
    """The traceback with the lines in cells, and the one where it happened."""
    told = traceback.TracebackException.from_exception(error)
    found = [told]
    while told := told.__cause__ or (None if told.__suppress_context__ else told.__context__):
        found.append(told)
    for one in found:
        frames = list(one.stack)
        kept = [frame for frame in frames[:-1] if is_of_cell(frame)] + frames[-1:]
        one.stack[:] = [] if len(kept) == 1 and not is_of_cell(kept[0]) else kept
    return "".join(found[0].format())


def run(source, number, asserts):
    """Run a cell as Jupyter would, and say whether it went well.

    The book's own assertions guard the text around a cell, and a reader's changes elsewhere may break
    them: `asserts` is true for cells that the reader has changed, and for all of them in the tests.
    """
    name = f"<cell {number}>" if number else "<cell that the page does not show>"
    sys.stdout.length = sys.stderr.length = 0
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)  # for tracebacks
    optimize = 0 if asserts else 1  # 1 leaves out assertions
    try:
        tree, last = ast.parse(source, name), None
        if tree.body and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";"):
            last = ast.Expression(tree.body.pop().value)
        exec(compile(tree, name, "exec", optimize=optimize), names)
        value = eval(compile(last, name, "eval"), names) if last else None
        if value is not None:
            names["_"] = value
            display(value)
        show_figures()
    except BaseException as error:
        show_figures()
        send("error", short_traceback(error))
        return False
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return True


def forget():
    """Clear what cells have defined and set."""
    names.clear()
    names.update(__name__="__main__", display=display)
    plt.rcdefaults()


def module(name, **contents):
    """Make a module that can be imported."""
    made = sys.modules[name] = types.ModuleType(name)
    made.__dict__.update(contents)
    return made


sys.stdout, sys.stderr = Stream("stdout"), Stream("stderr")
concurrent.futures.ThreadPoolExecutor = OneAfterTheOther
shown = module("IPython.display", display=display, HTML=HTML, Markdown=Markdown)
module("IPython", display=shown, get_ipython=lambda: None, version_info=(8, 0, 0))
module("myst_nb", glue=glue)

import matplotlib.pyplot as plt  # noqa: E402 (what stands above has prepared its surroundings)

plt.show = show_figures
names = {}
forget()
