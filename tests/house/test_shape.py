"""The shape of the code: small modules, small functions, names that mean something."""

from pathlib import PurePath

from house.tree import functions, modules, text_of

LONGEST_MODULE = 400
LONGEST_FUNCTION = 50
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "handler", "data", "info", "common"}


def test_no_module_is_longer_than_a_sitting() -> None:
    lengths = {path: (text_of(path) or "").count("\n") for path in modules()}

    assert {p: n for p, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{path}:{function.lineno} {function.name}": length
        for path in modules()
        for function in functions(path)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    }

    assert long == {}


def test_module_names_say_what_is_inside() -> None:
    assert [path for path in modules() if PurePath(path).stem in EMPTY_NAMES] == []


def test_every_module_of_the_product_says_what_it_is_for() -> None:
    silent = [
        path
        for path in modules()
        if path.startswith("src/")
        and (text := text_of(path))
        and not text.startswith(('"""', 'r"""'))
    ]

    assert silent == []
