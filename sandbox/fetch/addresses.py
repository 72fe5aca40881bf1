"""The public addresses that the product fetches from, and the key of `mirrors:` for each."""

from typing import Final

POSIT: Final = "https://cdn.posit.co"
"""Builds of R: /r/versions.json, /r/debian-12/pkgs/r-4.4.1_1_amd64.deb."""
RSTUDIO_DOWNLOADS: Final = "https://download2.rstudio.org"
"""Packages of RStudio Server: /server/jammy/amd64/rstudio-server-VERSION-amd64.deb."""
RSTUDIO_SITE: Final = "https://www.rstudio.com"
"""The list of RStudio's present versions: /wp-content/downloads.json."""
PACKAGE_MANAGER: Final = "https://packagemanager.posit.co"
"""Dated CRAN repositories, also with binaries: /cran/DATE; what it has: /__api__/status."""
PACKAGE_MANAGER_CRAN: Final = f"{PACKAGE_MANAGER}/cran"
CRAN: Final = "https://cloud.r-project.org"
BIOCONDUCTOR: Final = "https://bioconductor.org"
"""/packages/3.19/bioc, and data/annotation, data/experiment and workflows below the version."""
GITHUB_CODELOAD: Final = "https://codeload.github.com"
"""Sources by commit: /OWNER/REPO/tar.gz/SHA."""
GITHUB_API: Final = "https://api.github.com"
VAGRANT_BOXES: Final = "https://vagrantcloud.com"
INCUS_IMAGES: Final = "https://images.linuxcontainers.org"

_MANAGERS: Final = (
    "packagemanager.posit.co",
    "packagemanager.rstudio.com",
    "p3m.dev",
)

STANDS_FOR: Final[tuple[tuple[str, str], ...]] = (
    *((f"{host}/cran", "cran") for host in _MANAGERS),
    *((f"{host}/bioconductor", "bioconductor") for host in _MANAGERS),
    ("cloud.r-project.org", "cran"),
    ("cran.r-project.org", "cran"),
    ("cran.rstudio.com", "cran"),
    ("bioconductor.org", "bioconductor"),
    ("www.bioconductor.org", "bioconductor"),
    ("cdn.posit.co", "posit"),
    ("cdn.rstudio.com", "posit"),
    ("download1.rstudio.org", "rstudio"),
    ("download2.rstudio.org", "rstudio"),
    ("www.rstudio.com", "rstudio"),
    ("dailies.rstudio.com", "rstudio"),
    ("codeload.github.com", "github"),
    ("api.github.com", "github"),
    ("github.com", "github"),
    ("vagrantcloud.com", "vagrant_boxes"),
    ("app.vagrantup.com", "vagrant_boxes"),
    ("images.linuxcontainers.org", "incus_images"),
)
"""Host and first folders of a public URL, and the key that stands for it: what follows stays."""

BESIDE: Final[tuple[tuple[str, str], ...]] = tuple(
    (f"{host}/__api__", "cran") for host in _MANAGERS
)
"""What a package manager has beside its repositories: a mirror `BASE/cran` has it at `BASE`."""
