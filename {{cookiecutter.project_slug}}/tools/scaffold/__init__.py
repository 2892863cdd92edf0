"""New entities: a model, a migration, tests and the contract for each, from a line that names its fields.

    make entity name=Product fields='name:str:120! price:decimal:10:2 status:enum(draft,live)=draft owner:ref(user)?'
    make entities from=shop.yaml

What is written is a start, and yours from then on: nothing remembers that it was generated. How fields are written
stands in `tools.scaffold.grammar`.
"""
