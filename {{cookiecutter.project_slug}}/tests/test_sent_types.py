"""What the contract says of a type is what is taken and shown."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.resources.description import Type
from app.resources.types import sent, shown


@pytest.mark.parametrize("kind", ["smallint", "integer", "bigint"])
def test_a_whole_number_may_have_a_point(kind: str) -> None:
    taken: TypeAdapter[int] = TypeAdapter(sent(Type(kind)))
    assert repr(taken.validate_json("7.0")) == "7"
    for wrong in ("7.5", '"7"', "1e300", "true"):
        with pytest.raises(ValidationError):
            taken.validate_json(wrong)


@pytest.mark.parametrize("kind", ["time", "local-datetime"])
def test_what_has_no_offset_is_not_said_to_have_one(kind: str) -> None:
    said = [TypeAdapter(annotation).json_schema() for annotation in (sent(Type(kind)), shown(Type(kind)))]
    assert "format" not in said[1]
    assert said[0] == said[1]
