"""R Markdown taken apart: code at its own lines, and what the header means."""

import pytest

from sandbox.r_code.documents import read_document

TEXT = """---
title: Sales
output:
  flexdashboard::flex_dashboard:
    orientation: rows
runtime: shiny
---

Some `library(nothing)` words, and `r dplyr::n()` inline.

```{r setup, include=FALSE}
library(DT)
```

```{r, eval=FALSE}
library(never)
```

```{r}
#| eval: false
library(neither)
```

```{python}
library(python)
```

```
library(shown)
```

~~~{r}
library(tilde)
~~~
"""


def test_code_stands_at_its_own_lines() -> None:
    code = read_document(TEXT).code.splitlines()
    assert {number: line for number, line in enumerate(code, 1) if line} == {
        9: "dplyr::n()",
        12: "library(DT)",
        33: "library(tilde)",
    }


def test_the_header_names_formats_and_the_runtime() -> None:
    document = read_document(TEXT)
    assert document.formats == (("flexdashboard", "flexdashboard::flex_dashboard"),)
    assert document.is_shiny


@pytest.mark.parametrize(
    ("header", "is_shiny"),
    [
        ("runtime: shiny", True),
        ("runtime: shiny_prerendered", True),
        ("runtime: shinyrmd", True),
        ("server: shiny", True),
        ("server: {type: shiny}", True),
        ("runtime: static", False),
        ("output: html_document", False),
        ("title: !expr Sys.time()", False),
        ("a: [", False),
    ],
)
def test_which_documents_are_apps(header: str, is_shiny: bool) -> None:
    assert read_document(f"---\n{header}\n---\n").is_shiny is is_shiny


@pytest.mark.parametrize(
    "text", ["", "---", "---\n", "---\na: 1", "```{r}", "\n", "---\n- a\n---\n"]
)
def test_half_a_document_is_one(text: str) -> None:
    assert read_document(text).formats == ()
