"""A second client, made from protocol/SPEC.md alone, talks with Landline."""
