"""Sphinx extension: one address in _config.yml turns on every button that needs a repository."""

from sphinx.application import Sphinx
from sphinx.config import Config


def turn_on(app: Sphinx, config: Config) -> None:
    """Point the theme's buttons at ``book_repository``, if there is one."""
    url = config.book_repository.rstrip("/")
    if not url:
        return
    config.html_theme_options.update(
        repository_url=url,
        repository_branch="main",
        use_repository_button=True,
        use_edit_page_button=True,
        launch_buttons={
            "colab_url": "https://colab.research.google.com",
            "binderhub_url": "https://mybinder.org",
            "notebook_interface": "jupyterlab",
        },
    )
    # A notebook is made from its text: that is the file to edit.
    config.html_context.update(
        edit_page_provider_name=url.split("/")[2],
        edit_page_url_template=url
        + "/edit/main/{{ file_name.replace('.ipynb', '.md').replace('book/', 'book/text/', 1)"
        " if file_name.endswith('.ipynb') else file_name }}",
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the value and the hook."""
    app.add_config_value("book_repository", "", "html", str)
    app.connect("config-inited", turn_on)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
