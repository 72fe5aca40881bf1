"""The words that r-versions.sh takes."""


def r_versions_words(one):
    """`one` R of `r_versions_list` as five words."""
    is_default = "true" if one["is_default"] else "false"
    return [one["version"], one["source"], one["deb"], one["sha256"], is_default]


class FilterModule:
    """Found by Ansible."""

    def filters(self):
        """Name to function."""
        return {"r_versions_words": r_versions_words}
