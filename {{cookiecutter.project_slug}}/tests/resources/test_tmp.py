import pytest
from tests.resources.samples import Sample


async def test_make(sample: Sample) -> None:
    bad = []
    for entity in sample.written:
        try:
            row = await sample.make(entity.name)
            assert await sample.get(sample.path(entity, row)) == row
        except Exception as e:
            bad.append((entity.name, repr(e)[:1000]))
    assert not bad, "\n".join(map(str, bad))
