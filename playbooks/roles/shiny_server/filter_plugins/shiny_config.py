"""Write statements of Shiny Server's configuration, with every word in quotes."""


def shiny_word(text):
    """Write one word: between quotes only these two characters mean anything."""
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def shiny_statements(statements, indent=0):
    """Lines `name "word";`, each with an end of line."""
    return "".join(
        " " * indent + " ".join([words[0], *map(shiny_word, words[1:])]) + ";\n"
        for words in statements
    )


def shiny_locations(locations):
    """Blocks `location "path" { ... }`, each with an empty line before it."""
    return "".join(
        f"\n  location {shiny_word(one['path'])} {{\n{shiny_statements(one['settings'], 4)}  }}\n"
        for one in locations
    )


def shiny_servers(servers):
    """Blocks `server { ... }`, each with an empty line before it."""
    return "".join(
        "\nserver {\n"
        + shiny_statements([["listen", *one["listen"]], *one["settings"]], 2)
        + shiny_locations(one["locations"])
        + "}\n"
        for one in servers
    )


class FilterModule:
    """Found by Ansible."""

    def filters(self):
        """Name to function."""
        return {
            "shiny_locations": shiny_locations,
            "shiny_servers": shiny_servers,
            "shiny_statements": shiny_statements,
            "shiny_word": shiny_word,
        }
