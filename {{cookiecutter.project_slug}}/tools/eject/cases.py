"""Text of test functions."""

import re


def case(name: str, lines: list[str], more: str = "", mark: str = "") -> str:
    """A method. It asks for people if it needs them."""
    text = "\n".join(lines)
    for said in ("row", "before"):
        if len(re.findall(rf"\b{said}\b", text)) == 1:  # it only has to be there
            lines = [line.removeprefix(f"{said} = ") for line in lines]
    arguments = [*(["people: People"] if "people." in text or "people," in text else []), *([more] if more else [])]
    if "client: " in more and "people" in text:
        arguments = [more, "people: People"]
    head = [f"    {mark}"] if mark else []
    head.append(f"    async def test_{name}(self, {', '.join(arguments)}) -> None:")
    return "\n".join([*head, *(f"        {line}" for line in lines)])


def group(name: str, tests: list[str]) -> str:
    return f"class Test{name}:\n" + "\n\n".join(tests)


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
